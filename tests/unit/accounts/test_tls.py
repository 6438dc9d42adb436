"""The store over TLS: who may be it, what others see of it, and how its certificate is renewed."""

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev import gotools
from slipway.accounts.errors import CredentialError
from slipway.accounts.server.admin import Caller, StoreServer
from slipway.accounts.trust import Trust
from slipway_pods.store import store as pods
from slipway_pods.store.store_errors import StoreError
from tests.harness.certificates import Authority
from tests.harness.line import Line
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import REGION, ROOT

LOCAL = "IP:127.0.0.1"
URI = "s3://slipway/outputs/team/model.pt"
Serve = Callable[..., S3Server]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that pods and the operator trust; its certificate is the store's."""
    authority = Authority(tmp_path / "authority")
    authority.issue(tmp_path / "tls", LOCAL)
    return authority


@pytest.fixture
def serve(tmp_path: Path, authority: Authority) -> Iterator[Serve]:
    """Start the store with the certificate."""
    del authority
    gotools.ensure(["slipway-store"])
    running: list[S3Server] = []

    def serve(*, plain: bool = True) -> S3Server:
        server = S3Server(tmp_path / "s3", certificate=tmp_path / "tls", plain=plain)
        server.start()
        running.append(server)
        return server

    yield serve
    for server in running:
        server.stop()


def open_store(
    monkeypatch: pytest.MonkeyPatch, folder: Path, server: S3Server, authority: Path, port: int
) -> None:
    """Give this process a namespace's Secret, as the agent has it mounted."""
    folder.mkdir(exist_ok=True)
    keys = {
        **server.env,
        "SLIPWAY_STORE_ENDPOINT": f"https://127.0.0.1:{port}",
        "ca.crt": authority.read_text(),
    }
    for name, text in keys.items():
        (folder / name).write_text(text)
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(folder))


def shown(port: int, authority: Path) -> bytes:
    """Return the certificate that a new connection gets to see."""
    trust = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection(("127.0.0.1", port), 60) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_who_reads_the_network_sees_neither_key_nor_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, serve: Serve
) -> None:
    server, content = serve(plain=False), os.urandom(20 << 20)
    with Line(server.secure_port) as line:
        open_store(monkeypatch, tmp_path / "secret", server, authority.certificate, line.port)
        (tmp_path / "model.pt").write_bytes(content)
        with (tmp_path / "model.pt").open("rb") as file:
            pods.put_file(file, URI)
        pods.get_file(URI, tmp_path / "back.pt", 1 << 30)
    assert (tmp_path / "back.pt").read_bytes() == content
    assert len(line.seen) > 2 * len(content)
    for secret in (b"AWS4-HMAC-SHA256", b"outputs/team", content[:64], content[-64:]):
        assert secret not in line.seen


def test_another_server_in_its_place_gets_nothing_from_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    server, stranger = serve(), Authority(tmp_path / "stranger")
    folder = tmp_path / "secret"
    open_store(monkeypatch, folder, server, stranger.certificate, server.secure_port)
    with pytest.raises(StoreError):
        pods.put_bytes(b"x", URI)
    assert server.keys("outputs/") == set()


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_another_server_in_its_place_gets_no_request_of_the_operator(
    tmp_path: Path, authority: Authority, serve: Serve, wrong: str
) -> None:
    if wrong == "host":
        authority.issue(tmp_path / "tls", "DNS:another.example")
    stranger = Authority(tmp_path / "stranger")
    trust = Trust(str((stranger if wrong == "authority" else authority).certificate))
    endpoint = f"https://127.0.0.1:{serve().secure_port}"
    with pytest.raises(CredentialError, match="certificate"):
        await StoreServer(Caller(endpoint, ROOT, REGION, trust=trust)).accounts()


async def test_the_operator_verifies_with_the_authority_as_it_is_now(
    tmp_path: Path, authority: Authority, serve: Serve
) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(Authority(tmp_path / "before").certificate.read_bytes())
    trust = Trust(str(file))
    endpoint = f"https://127.0.0.1:{serve().secure_port}"
    with pytest.raises(CredentialError, match="certificate"):
        await StoreServer(Caller(endpoint, ROOT, REGION, trust=trust)).accounts()
    file.write_bytes(authority.certificate.read_bytes())
    assert await StoreServer(Caller(endpoint, ROOT, REGION, trust=trust)).accounts() == {}


def test_a_renewed_certificate_is_shown_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, serve: Serve
) -> None:
    server = serve()
    before = shown(server.secure_port, authority.certificate)
    authority.issue(tmp_path / "tls", LOCAL)
    wait_for(
        lambda: shown(server.secure_port, authority.certificate) != before, 60, "it is renewed"
    )
    (tmp_path / "tls" / "tls.crt").write_text("no certificate")
    assert shown(server.secure_port, authority.certificate) != before
    folder = tmp_path / "secret"
    open_store(monkeypatch, folder, server, authority.certificate, server.secure_port)
    pods.put_bytes(b"x", URI)
    assert pods.get_bytes(URI, 10) == b"x"


def test_pods_of_release_0_2_0_go_on_without_tls_until_the_port_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(tmp_path / "none"))
    server = serve()
    for name, text in server.env.items():
        monkeypatch.setenv(name, text)
    pods.put_bytes(b"x", URI)
    server.stop()
    closed = serve(plain=False)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", closed.port)) != 0
