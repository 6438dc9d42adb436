"""What the server refuses, and with which words."""


class ArchiveError(Exception):
    """An archive cannot be served; the text is one sentence that says what to change."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the program
    """A request that is answered with an error: TorchServe's code, type and message."""

    def __init__(self, code: int, kind: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
