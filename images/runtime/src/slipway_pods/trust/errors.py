"""Why an archive is not believed."""


class TrustError(Exception):
    """An archive or a key is refused; ``reason`` is the constant for the termination message.

    The reasons are KeyNotFound and InvalidKey; WrongKey, ArchiveCut and ArchiveChanged for what is
    decrypted; SignatureMissing, SignatureInvalid and UnknownSigner for what is verified. The text
    shows nothing of a key.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
