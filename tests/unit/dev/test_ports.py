"""The ports that tests give to their servers."""

from tests.harness.ports import free_port, free_ports


def test_servers_that_start_one_after_another_have_different_ports() -> None:
    ports = [free_port() for _ in range(500)]

    assert len(set(ports)) == len(ports)
    assert not set(free_ports(500)) & set(ports)
