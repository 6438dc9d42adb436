"""The operator's own programs in pods; they run in its own images."""
