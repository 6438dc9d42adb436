"""The server of metrics and health: where it listens, and what it says where it cannot."""

import socket

import pytest

from slipway.telemetry.metrics import Metrics
from slipway.telemetry.server import HttpServer
from tests.harness.ports import free_port

LOOPBACKS = ("127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else []))


@pytest.fixture
def server() -> HttpServer:
    return HttpServer(Metrics().page, list, list)


@pytest.mark.parametrize("picked", [True, False], ids=["any port", "a port of ours"])
async def test_its_port_answers_by_both_address_families(server: HttpServer, picked: bool) -> None:
    port = 0 if picked else free_port()
    await server.start(port)
    try:
        assert server.port > 0
        assert port in (0, server.port)
        for host in LOOPBACKS:
            with socket.create_connection((host, server.port), timeout=10):
                pass
    finally:
        await server.close()


async def test_a_port_that_is_taken_is_told_with_what_to_set(server: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} is taken: set SLIPWAY_HTTP_PORT"):
            await server.start(port)
    await server.close()
