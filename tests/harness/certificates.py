"""Certificate authorities and certificates of servers, as cert-manager would make them."""

import subprocess
from pathlib import Path


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


class Authority:
    """A certificate authority in a folder; ``certificate`` is the file that clients trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        files = ("-keyout", self._key, "-out", self.certificate)
        _openssl("req", "-x509", *new, *files, "-subj", f"/CN={name}", "-days", "7")

    def issue(self, folder: Path, *names: str) -> None:
        """Put ``tls.crt`` and ``tls.key`` for some names (``DNS:x``, ``IP:x``) into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        request, extensions = folder / "request", folder / "extensions"
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        _openssl("req", *new, "-keyout", folder / "new.key", "-out", request, "-subj", "/CN=store")
        extensions.write_text(f"subjectAltName={','.join(names)}\n")
        by = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "7")
        made = ("-out", folder / "new.crt", "-extfile", extensions)
        _openssl("x509", "-req", "-in", request, *by, *made)
        (folder / "new.key").rename(folder / "tls.key")
        (folder / "new.crt").rename(folder / "tls.crt")
