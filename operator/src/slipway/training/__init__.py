"""TrainingJob: from a snapshot to a plan. Pure: no client, no clock, no I/O."""
