"""What the cluster shows of a TrainingJob."""
