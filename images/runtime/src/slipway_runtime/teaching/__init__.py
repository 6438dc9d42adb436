"""Learning from another job's model: its weights, its answers, and what is left of it."""
