"""What the status of a TrainingJob says."""
