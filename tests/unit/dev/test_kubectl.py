"""What kubectl prints while it watches."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.kubectl import documents

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
