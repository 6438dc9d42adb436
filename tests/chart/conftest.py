import pytest

from dev import gotools


@pytest.fixture(scope="session", autouse=True)
def helm() -> None:
    """Helm and what checks charts, built if they are not there yet."""
    gotools.ensure(gotools.CHART_TESTS)
