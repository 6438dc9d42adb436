"""The limit of the operator's memory, as its cgroup tells it."""

from pathlib import Path

import pytest

from slipway.telemetry.memory import samples


@pytest.mark.parametrize(
    ("place", "text", "limit"),
    [
        ("memory.max", "268435456\n", [((), 268435456.0)]),
        ("memory.max", "max\n", []),
        ("memory/memory.limit_in_bytes", "201326592\n", [((), 201326592.0)]),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", []),
        ("elsewhere", "1\n", []),
    ],
)
def test_the_limit_is_read_from_either_sort_of_cgroup(
    tmp_path: Path, place: str, text: str, limit: list[object]
) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    assert list(samples(tmp_path)) == limit
