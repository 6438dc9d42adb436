"""Names of users' Services, and what they may lead to."""

import socket
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
