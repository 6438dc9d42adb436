"""Names of users' Services, and what they may lead to."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from slipway.controller.readers.asking.resolver import ServiceResolver, is_forbidden

NAME = "prometheus.demo.svc"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0"),  # noqa: S104
        *("224.0.0.1", "ff02::1", "255.255.255.255", "168.63.129.16", "fd00:ec2::254"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "10.96.0.1"),
    ],
)
def test_hosts_links_metadata_and_the_api_server_are_forbidden(address: str) -> None:
    assert is_forbidden(address, ["10.96.0.1"])


@pytest.mark.parametrize("address", ["10.96.0.2", "192.168.1.1", "fd00::1", "203.0.114.1"])
def test_pods_and_services_are_not(address: str) -> None:
    assert not is_forbidden(address, ["10.96.0.1"])


def dns(monkeypatch: pytest.MonkeyPatch, canonical: str, *addresses: str) -> None:
    """Let every name lead to such addresses."""

    def getaddrinfo(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET, kind, 6, "" if index else canonical, (address, port))
            for index, address in enumerate(addresses)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def test_a_service_leads_to_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    dns(monkeypatch, f"{NAME}.cluster.local", "10.0.0.1", "10.0.0.2")
    resolver = ServiceResolver()
    assert [each["host"] for each in await resolver.resolve(NAME, 9090)] == ["10.0.0.1", "10.0.0.2"]
    await resolver.close()


@pytest.mark.parametrize(
    ("canonical", "addresses"),
    [
        ("intranet.example.com", ("10.0.0.1",)),
        (f"{NAME}x.example.com", ("10.0.0.1",)),
        (NAME, ("10.0.0.1", "169.254.169.254")),
        (NAME, ("10.96.0.1",)),
    ],
    ids=["external name", "prefix", "metadata", "API server"],
)
async def test_a_name_that_leads_elsewhere_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, canonical: str, addresses: tuple[str, ...]
) -> None:
    dns(monkeypatch, canonical, *addresses)
    resolver = ServiceResolver(forbidden=["10.96.0.1"])
    with pytest.raises(OSError, match=NAME):
        await resolver.resolve(NAME, 9090)
    await resolver.close()


async def test_a_name_that_an_administrator_listed_may_lead_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dns(monkeypatch, "balancer.example.com", "127.0.0.1")
    resolver = ServiceResolver(trusted=["mimir.example.com"])
    found = await resolver.resolve("mimir.example.com", 443)
    assert [each["host"] for each in found] == ["127.0.0.1"]
    await resolver.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let names of the namespace ``slow`` be looked up without end; yield what is looked up."""
    asked, ended = list[str](), threading.Event()

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        if host.split(".")[1] == "slow":
            ended.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, host, ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    ended.set()


async def give_up(resolver: ServiceResolver, host: str) -> None:
    """Have a name looked up as aiohttp does, which goes on when nobody waits any more."""
    with pytest.raises((TimeoutError, OSError)):
        await asyncio.wait_for(asyncio.shield(resolver.resolve(host)), 0.01)


async def until_asked(asked: list[str], count: int) -> None:
    """Wait until so many names are looked up, each by a thread that may be slow to start."""
    async with asyncio.timeout(60):
        while len(asked) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_names_that_are_looked_up_without_end_hold_up_no_other_namespace(
    slow: list[str],
) -> None:
    resolver = ServiceResolver()
    for number in range(100):
        await give_up(resolver, f"s{number}.slow.svc")
    async with asyncio.timeout(60):
        assert await resolver.resolve(NAME)
    await until_asked(slow, 5)
    assert len(slow) == 5, "four of the slow namespace's at a time, and that one"
    with pytest.raises(OSError, match="namespace slow takes long"):
        await resolver.resolve("other.slow.svc.cluster.local")
    await resolver.close()


async def test_one_name_is_looked_up_once_at_a_time(slow: list[str]) -> None:
    resolver = ServiceResolver(trusted=["prometheus.slow.svc"])
    for _ in range(20):
        await give_up(resolver, "prometheus.slow.svc")
    await until_asked(slow, 1)
    assert slow == ["prometheus.slow.svc"]
    await resolver.close()
