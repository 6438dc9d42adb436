"""What can go wrong in the development environment."""


class DevError(Exception):
    """Something the user can act on; its text is one sentence that says what to do."""
