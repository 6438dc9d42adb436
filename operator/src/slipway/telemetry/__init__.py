"""What the operator tells of itself: metrics, logs and health."""
