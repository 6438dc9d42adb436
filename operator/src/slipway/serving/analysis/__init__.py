"""The judgment of a new revision by its traffic. Pure."""
