"""Writes: applies, and events."""
