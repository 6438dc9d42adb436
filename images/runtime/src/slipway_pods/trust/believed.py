"""What a model has to pass between its digest and its name in the pod.

It is decrypted, then its signature is verified. OpenSSL's bindings, which take 30 ms to import, are
imported where a model needs them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slipway_pods.trust import keyset as keysets
from slipway_pods.trust.errors import TrustError
from slipway_runtime.shown import shown
from slipway_runtime.termination import say

Policy = Literal["Required", "IfPresent"]
"""Whether a model must be signed, or only what is signed must be signed right."""
SUFFIX = ".sig"
"""What the name of a signature has behind the archive's own, or the folder's."""


@dataclass(frozen=True)
class Believed:
    """How a model is decrypted (not at all without a ``keyset``), and verified.

    It is not verified without ``public_keys``: a file in PEM, of the keys that a deployment names,
    or the text of one, of the administrator's.
    """

    keyset: Path | None = None
    associated_data: str = ""
    public_keys: Path | str | None = None
    policy: Policy = "Required"

    def take(self, part: Path, uri: str, signature: bytes | None = None) -> None:
        """Make a file that was brought from a URI what the server gets; raises TrustError.

        ``signature`` is what lies beside it; None where nothing does. After an error the file must
        not be used: what is in it is proved at the end.
        """
        try:
            self._decrypt(part)
        except TrustError as error:
            raise _refused(f"{shown(uri)} is not decrypted", error) from error
        try:
            self._verify(part, signature)
        except TrustError as error:
            raise _refused(f"The signature of {shown(uri)} is not accepted", error) from error

    def take_folder(self, folder: Path, uri: str, signature: bytes | None = None) -> None:
        """Raise TrustError where a folder is not signed as it has to be, or should be encrypted."""
        if self.keyset is not None:
            text = f"{shown(uri)} is a folder, which cannot be encrypted. It is not served."
            raise TrustError("ArchiveChanged", text)
        try:
            self._verify(folder, signature)
        except TrustError as error:
            raise _refused(f"The signature of {shown(uri)} is not accepted", error) from error

    def _decrypt(self, part: Path) -> None:
        if self.keyset is None:
            return
        from slipway_pods.trust import sealing

        keys = keysets.read(self.keyset, "the encryption's keySecretRef")
        with part.open("r+b") as file:
            sealing.unseal(file, keys, self.associated_data.encode())

    def _verify(self, part: Path, signature: bytes | None) -> None:
        if self.public_keys is None:
            return
        from slipway_pods.trust import signing

        field = "the chart's verification.publicKeys"
        if isinstance(self.public_keys, Path):
            field = "model.verification"
        keys = signing.public_keys(self.public_keys, field)
        if signature is not None:
            verify = signing.verify_folder if part.is_dir() else signing.verify
            verify(part, signature, keys)
        elif self.policy == "Required":
            raise TrustError("SignatureMissing", f"there is none beside it, named {SUFFIX}")
        else:
            say("The model is not signed, which model.verification.policy IfPresent allows.")


def _refused(what: str, error: TrustError) -> TrustError:
    return TrustError(error.reason, f"{what}: {str(error).rstrip('.')}. It is not served.")


UNSEALED = Believed()
"""Of a model that is neither encrypted nor to be verified."""
