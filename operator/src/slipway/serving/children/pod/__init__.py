"""The pod template of a revision, and the files of its pods."""
