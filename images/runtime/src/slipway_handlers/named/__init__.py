"""Rows of several tensors with names."""
