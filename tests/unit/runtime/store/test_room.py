"""How much may be brought to a folder."""

import json
import shutil
from pathlib import Path

import pytest

from slipway_pods import room


def limit(monkeypatch: pytest.MonkeyPatch, **volumes: int) -> None:
    monkeypatch.setenv(room.VARIABLE, json.dumps(volumes))


def test_a_volume_takes_what_it_may_hold_less_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **{str(tmp_path): 100_000})
    (tmp_path / "deep").mkdir()
    assert room.free(tmp_path / "deep") == 100_000
    (tmp_path / "file").write_bytes(bytes(60_000))
    assert room.free(tmp_path / "deep") == 40_000
    (tmp_path / "other").write_bytes(bytes(60_000))
    assert room.free(tmp_path) == 0


def test_a_volume_with_a_similar_name_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **{str(tmp_path / "a"): 0})
    (tmp_path / "ab").mkdir()
    assert room.free(tmp_path / "ab") > 0


def test_the_disk_keeps_a_reserve_whatever_the_volume_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **{str(tmp_path): 10**18})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert room.free(tmp_path) == max(0, usage.free - int(usage.total * room.RESERVED_SHARE))
