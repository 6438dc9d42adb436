import pytest

from dev import gotools


@pytest.fixture(scope="session", autouse=True)
def helm() -> None:
    """Helm, built if it is not there yet."""
    gotools.ensure(["helm"])
