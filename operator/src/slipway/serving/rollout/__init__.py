"""Rollouts as one pure state machine: from a status and what is seen to the next status."""
