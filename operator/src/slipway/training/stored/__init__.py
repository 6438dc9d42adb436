"""What a TrainingJob stores: where, for how long, and for whom."""
