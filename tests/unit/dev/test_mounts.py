"""The mounts of a cluster that ends: all are undone, whoever undoes them."""

from pathlib import Path

import pytest

from dev.cluster import containers
from dev.errors import DevError


def test_a_mount_that_goes_while_the_cluster_ends_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([[str(tmp_path)], []])
    monkeypatch.setattr(containers, "mounted", lambda: next(looks))
    assert containers.unmount_all() == 1


def test_a_mount_that_cannot_be_undone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "mounted", lambda: [str(tmp_path)])
    with pytest.raises(DevError):
        containers.unmount_all()
