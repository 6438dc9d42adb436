"""Data sets that packages ship, for examples and their tests."""
