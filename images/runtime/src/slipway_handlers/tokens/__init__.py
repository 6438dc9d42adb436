"""The handler that labels each word of a text."""
