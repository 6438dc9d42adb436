"""Smaller or faster forms of an exported model: made, measured, and the best one packaged."""
