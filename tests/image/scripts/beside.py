"""A module of the source."""

WORD = "beside"
