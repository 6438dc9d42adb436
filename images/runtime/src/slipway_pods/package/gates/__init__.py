"""Whether an archive is good enough to be served."""
