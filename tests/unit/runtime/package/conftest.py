"""A finished training that waits to be packaged."""

from pathlib import Path

import pytest

from slipway_pods.package import package
from tests.harness.s3 import S3Server
from tests.unit.runtime.package.test_package import Packager


@pytest.fixture
def packager(
    s3: S3Server, tmp_path: Path, termination_log: Path, monkeypatch: pytest.MonkeyPatch
) -> Packager:
    """The packaging of an output that is stored; store again what is added to it."""
    monkeypatch.setattr(package, "PATIENCE", 0.0)
    made = Packager(s3, tmp_path, termination_log)
    made.store()
    return made
