"""Watching, queueing, and the loop that observes, plans and acts."""
