"""What a model has to pass between its digest and its name in the pod: it is decrypted."""

from dataclasses import dataclass
from pathlib import Path

from slipway_pods.trust import keyset as keysets
from slipway_pods.trust.errors import TrustError
from slipway_runtime.shown import shown


@dataclass(frozen=True)
class Believed:
    """How a model is decrypted; not at all where there is no ``keyset``."""

    keyset: Path | None = None
    associated_data: str = ""

    def take(self, part: Path, uri: str) -> None:
        """Make a file that was brought from a URI what the server gets; raises TrustError.

        Then the file must not be used: what is in it is proved at the end.
        """
        if self.keyset is None:
            return
        keys = keysets.read(self.keyset, "the encryption's keySecretRef")
        # OpenSSL's bindings take 30 ms, which pods without encryption need not spend.
        from slipway_pods.trust import sealing

        try:
            with part.open("r+b") as file:
                sealing.unseal(file, keys, self.associated_data.encode())
        except TrustError as error:
            message = f"{shown(uri)} is not decrypted: {error}. It is not served."
            raise TrustError(error.reason, message) from error


UNSEALED = Believed()
"""Of a model that is not encrypted."""
