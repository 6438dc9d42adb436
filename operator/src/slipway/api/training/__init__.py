"""The kind TrainingJob."""
