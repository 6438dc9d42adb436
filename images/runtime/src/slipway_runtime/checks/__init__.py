"""What is refused before the training that it would cost."""
