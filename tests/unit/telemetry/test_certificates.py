"""When certificates run out, as a server shows them."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from slipway.telemetry.certificates import authority_expiry, peer_expiry

DAY = 86_400


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, and its key, for seven days."""
    path = tmp_path / "both.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path))
    made = ["openssl", "req", "-x509", *key, *subject, "-days", "7"]
    subprocess.run(
        [*made, "-out", str(tmp_path / "cert.pem")], check=True, capture_output=True, timeout=30
    )
    path.write_text(path.read_text() + (tmp_path / "cert.pem").read_text())
    return path


async def test_the_expiry_of_what_a_server_shows_and_of_its_authority(certificate: Path) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    trust = ssl.create_default_context(cafile=str(certificate))
    expiry = await peer_expiry(f"https://127.0.0.1:{port}", trust)
    server.close()
    assert expiry
    assert expiry == authority_expiry(trust)
    assert 6 * DAY < expiry - time.time() < 8 * DAY


async def test_a_server_without_tls_has_none(certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    assert await peer_expiry("http://store:7480", trust) is None


def test_a_systems_bundle_is_nobodys_own_authority() -> None:
    assert authority_expiry(ssl.create_default_context()) is None
