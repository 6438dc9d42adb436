"""`--check`: an archive's samples are answered as they would be served, and each answer is told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_server.check import differences
from tests.unit.server.conftest import PYTHONPATH, write_archive

DOUBLE = """
def handle(data, context):
    return None if data is None else [{"twice": 2 * row["body"]["x"]} for row in data]
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def check(archive: Path, samples: dict[str, Any]) -> tuple[int, str]:
    """Return the exit code of --check, and what it printed."""
    files = {f"samples/{name}.json": json.dumps(told) for name, told in samples.items()}
    write_archive(archive, {"handler.py": DOUBLE, **files})
    done = subprocess.run(
        [sys.executable, "-m", "slipway_server", "--check", str(archive)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_sample_is_answered_and_told(archive: Path) -> None:
    code, text = check(
        archive,
        {
            "any": {"request": {"x": 1}},
            "near": {"request": {"x": 1.0}, "expected": {"twice": 2.001}, "tolerance": 0.01},
        },
    )
    assert code == 0
    assert 'any: 200, application/json\n{\n  "twice": 2\n}' in text
    assert "2 of 2 samples are answered as they should be." in text


def test_an_answer_that_is_not_the_expected_one_is_told_by_its_place(archive: Path) -> None:
    code, text = check(
        archive, {"wrong": {"request": {"x": 1}, "expected": {"twice": 3}}, "bad": {"request": {}}}
    )
    assert code == 1
    assert "$.twice: 2, not 3 (tolerance 0)" in text
    assert "not answered: 503" in text
    assert "0 of 2 samples" in text


def test_an_archive_without_samples_is_loaded_and_told_how_to_add_some(archive: Path) -> None:
    code, text = check(archive, {})
    assert code == 0
    assert "The model loads. The archive has no samples: add files samples/NAME.json" in text


@pytest.mark.parametrize("told", [[], {"expected": 1}, {"request": 1, "tolerance": "much"}])
def test_a_file_that_is_no_sample_is_refused_by_its_name(archive: Path, told: object) -> None:
    code, text = check(archive, {"broken": told})
    assert code == 64
    assert "samples/broken.json is no sample" in text


@given(JSON, JSON)
def test_values_differ_unless_they_are_written_the_same(one: Any, other: Any) -> None:
    assert not list(differences(one, one, 0.0))
    if json.dumps(one) == json.dumps(other):
        assert not list(differences(one, other, 0.0))
    elif not list(differences(one, other, 0.0)):
        assert one == other
