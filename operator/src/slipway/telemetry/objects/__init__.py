"""Metrics of single objects: what happens to them, and what they hold."""
