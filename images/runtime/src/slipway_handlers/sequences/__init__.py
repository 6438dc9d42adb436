"""The handler of biological sequences."""
