"""What may go wrong between the operator and the store's administration."""


class CredentialError(Exception):
    """The credentials of a namespace cannot be made now; it is worth another try.

    ``reason`` fits into a condition, ``message`` is one sentence for people.
    """

    reason = "StoreUnavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(CredentialError):  # noqa: N818 - named by what the store did
    """The store answered, and not as asked: ``code`` is its own word, ``status`` is HTTP's."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class MissingCredentials(CredentialError):  # noqa: N818 - named by what is missing
    """The namespace has to bring its own Secret, and has none."""

    reason = "StoreCredentialsMissing"
