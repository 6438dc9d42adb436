"""The ports that tests give to their servers."""

import pytest

from tests.harness.ports import free_port, free_ports


@pytest.mark.parametrize("given", [0, 700])
def test_servers_that_start_one_after_another_have_different_ports(given: int) -> None:
    free_ports(given)
    ports = [free_port() for _ in range(500)]

    assert len(set(ports)) == len(ports)
    assert not set(free_ports(500)) & set(ports)
