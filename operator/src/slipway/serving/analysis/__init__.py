"""The judgement of a new revision by its traffic. Pure."""
