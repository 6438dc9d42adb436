"""The built-in store's certificate: made, kept in time, and from whom it may be."""
