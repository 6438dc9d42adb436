"""Connections to the store: kept for further requests, ended where a client is silent."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import botocore.session
import pytest
from botocore.config import Config

from dev import gotools
from tests.harness.certificates import Authority
from tests.harness.s3 import S3Server

LARGE = 64 << 20
"""More than what lies between a server and a client that does not read, in bytes."""
Connect = Callable[[], http.client.HTTPConnection]
SIGNED = Config(signature_version="s3v4")
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}


@pytest.fixture
def idle() -> int:
    """For how many seconds a client may be silent."""
    return 1


@pytest.fixture(params=["plain", "TLS"])
def connect(request: pytest.FixtureRequest, tmp_path: Path, idle: int) -> Iterator[Connect]:
    """Open a connection to a store where a client may be silent for a while."""
    gotools.ensure(["slipway-store"])
    authority = Authority(tmp_path / "authority")
    authority.issue(tmp_path / "tls", "IP:127.0.0.1")
    server = S3Server(tmp_path / "s3", certificate=tmp_path / "tls", idle=idle)
    (server.bucket / "large").write_bytes(bytes(LARGE))
    trust = ssl.create_default_context(cafile=str(authority.certificate))

    def connect() -> http.client.HTTPConnection:
        if request.param == "plain":
            return http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        return http.client.HTTPSConnection(
            "127.0.0.1", server.secure_port, context=trust, timeout=120
        )

    server.start()
    yield connect
    server.stop()


def ask(connection: http.client.HTTPConnection) -> None:
    """Ask what the store answers to everybody, and read the answer."""
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, answer.will_close) == (200, False)
    answer.read()


def large(connection: http.client.HTTPConnection) -> str:
    """Return where a connection's store has the large object, signed."""
    endpoint = f"http://{connection.host}:{connection.port}"
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", config=SIGNED, **KEYS
    )
    place = {"Bucket": "slipway", "Key": "large"}
    return str(client.generate_presigned_url("get_object", place)).removeprefix(endpoint)


def let_a_silent_client_lose_its_connection(connect: Connect) -> None:
    with closing(connect()) as connection:
        ask(connection)
        assert socket_of(connection).recv(1) == b""


def socket_of(connection: http.client.HTTPConnection) -> socket.socket:
    assert connection.sock is not None
    return connection.sock


@pytest.mark.parametrize("idle", [600])
def test_a_connection_serves_one_request_after_the_other(connect: Connect) -> None:
    with closing(connect()) as connection:
        ask(connection)
        opened = socket_of(connection)
        for _ in range(20):
            ask(connection)
        assert connection.sock is opened


def test_a_client_that_is_silent_after_its_answer_loses_its_connection(connect: Connect) -> None:
    let_a_silent_client_lose_its_connection(connect)


def test_a_client_that_never_asks_loses_its_connection(connect: Connect) -> None:
    with closing(connect()) as connection:
        connection.connect()
        assert socket_of(connection).recv(1) == b""


@pytest.mark.parametrize("idle", [4])  # which is also the time from the answer's end to the next
def test_a_client_that_is_slow_to_take_its_answer_gets_all_of_it(connect: Connect) -> None:
    with closing(connect()) as connection:
        connection.request("GET", large(connection))
        answer = connection.getresponse()
        for _ in range(2):
            let_a_silent_client_lose_its_connection(connect)
        assert len(answer.read()) == LARGE
        ask(connection)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_who_opens_connections_without_end_ends_their_own_alone(
    secure: bool, tmp_path: Path
) -> None:
    gotools.ensure(["slipway-store"])
    authority = Authority(tmp_path / "authority")
    authority.issue(tmp_path / "tls", "IP:127.0.0.1")
    server = S3Server(tmp_path / "s3", certificate=tmp_path / "tls", connections=16)
    server.start()
    trust = ssl.create_default_context(cafile=str(authority.certificate))
    port = server.secure_port if secure else server.port
    with ExitStack() as stack:
        stack.callback(server.stop)

        def connected(address: str) -> http.client.HTTPConnection:
            source = (address, 0)
            made = (
                http.client.HTTPSConnection(
                    "127.0.0.1", port, context=trust, timeout=120, source_address=source
                )
                if secure
                else http.client.HTTPConnection(
                    "127.0.0.1", port, timeout=120, source_address=source
                )
            )
            return stack.enter_context(closing(made))

        victims = [connected("127.0.0.3") for _ in range(4)]
        for victim in victims:
            ask(victim)
        opened = [socket_of(victim) for victim in victims]
        crowd = [stack.enter_context(silent(port)) for _ in range(200)]
        assert crowd[0].recv(1) == b""
        for victim in victims:
            ask(victim)
        assert [victim.sock for victim in victims] == opened
        ask(connected("127.0.0.4"))


def silent(port: int) -> socket.socket:
    """Return a connection whose client says nothing."""
    return socket.create_connection(("127.0.0.1", port), 120, ("127.0.0.2", 0))
