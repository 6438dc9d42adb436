"""The stage of all attacks that users make, and what the programs of a pod meet."""

from collections.abc import Iterator

import pytest

from tests.security.stage import Stage, stage
from tests.unit.runtime.conftest import s3

__all__ = ["s3"]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An attacker and a victim, before a real API server, operator and store."""
    with stage(tmp_path_factory.mktemp("stage")) as found:
        yield found
