"""The packaging pod: from an output to an archive."""
