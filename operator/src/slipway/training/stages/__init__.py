"""What happens in each stage of a TrainingJob's life."""
