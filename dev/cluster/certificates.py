"""Certificates of a cluster, made with the openssl command."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.shell import run, write

DAYS = "3650"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority that keeps what it issues in one folder."""

    folder: Path
    name: str

    @property
    def own(self) -> Certificate:
        """The authority's own certificate and key."""
        return self.files(self.name)

    def create(self) -> "Authority":
        """Make the authority unless it exists."""
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        self._make(self.name, f"/CN=slipway-dev-{self.name}", extensions, ())
        return self

    def issue(
        self, name: str, user: str, group: str = "", hosts: Sequence[str] = ()
    ) -> Certificate:
        """Return the certificate ``name``, issued now unless it exists.

        ``user`` and ``group`` are what Kubernetes reads from the subject (CN and O); ``hosts``
        are the DNS names and IP addresses that a server answers at, each as ``DNS:x`` or ``IP:x``.
        """
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        extensions = ["extendedKeyUsage=clientAuth,serverAuth"]
        if hosts:
            extensions.append(f"subjectAltName={','.join(hosts)}")
        signer = ("-CA", str(self.own.certificate), "-CAkey", str(self.own.key))
        return self._make(name, subject, extensions, signer)

    def _make(
        self, name: str, subject: str, extensions: Sequence[str], signer: Sequence[str]
    ) -> Certificate:
        files = self.files(name)
        if not files.certificate.exists():
            config = write(self.folder / "openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")
            added = [word for text in extensions for word in ("-addext", text)]
            out = ("-keyout", files.key, "-out", files.certificate, "-days", DAYS)
            run("openssl", "req", "-x509", "-config", config, "-subj", subject,
                *KEY, *added, *signer, *out)  # fmt: skip
        return files

    def files(self, name: str) -> Certificate:
        """Return where the certificate ``name`` and its key lie, issued or not."""
        return Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")


def make_signing_key(private: Path, public: Path) -> None:
    """Make an elliptic curve key, and its public half, unless they exist."""
    if not public.exists():
        curve = ("-pkeyopt", "ec_paramgen_curve:P-256")
        run("openssl", "genpkey", "-algorithm", "EC", *curve, "-out", private)
        run("openssl", "pkey", "-in", private, "-pubout", "-out", public)
