"""What TorchServe has and this library has not: importing it says what to do instead."""


class NotServedHereError(ImportError):
    """A handler imports what only TorchServe serves."""

    def __init__(self, name: str, instead: str) -> None:
        super().__init__(f"{name} is not served without TorchServe: {instead}")
