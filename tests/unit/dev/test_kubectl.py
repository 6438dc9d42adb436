"""What kubectl prints while it watches."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import gotools
from dev.errors import DevError
from dev.kubectl import Kubectl, documents

VERSIONS: list[dict[str, Any]] = [
    {"metadata": {"name": "diabetes"}, "status": {}},
    {"metadata": {"name": "diabetes", "note": "}\n}"}, "status": {"conditions": [{"a": {}}, {}]}},
]


def printed(*objects: Any) -> list[str]:
    return "".join(f"{json.dumps(one, indent=4)}\n" for one in objects).splitlines(keepends=True)


def test_each_version_of_an_object_is_told_as_it_was_printed() -> None:
    assert list(documents(printed(*VERSIONS))) == VERSIONS


def test_a_version_is_told_before_the_next_one_comes() -> None:
    def stream() -> Iterator[str]:
        yield from printed(VERSIONS[0])
        pytest.fail("the next line was waited for")

    assert next(documents(stream())) == VERSIONS[0]


def test_a_version_that_is_cut_off_is_left_out() -> None:
    assert list(documents(printed(*VERSIONS)[:-1])) == VERSIONS[:1]


def test_a_kubectl_that_cannot_watch_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'the server has no such kind' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(gotools, "path", lambda name: program)
    with pytest.raises(DevError, match="the server has no such kind"):
        next(Kubectl(None).watch("trainingjob", "diabetes", 30))
