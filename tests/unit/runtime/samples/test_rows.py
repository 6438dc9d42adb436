"""The file of rows that a script leaves, and the archive's entry of rows and answers."""

import base64
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.serve.samples import stored
from slipway_pods.serve.samples.rows import (
    JSON,
    MAX_BODY_BYTES,
    MAX_ROWS,
    Sample,
    SamplesError,
    read,
)
from tests.unit.runtime.archives import damaged_zip

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
KINDS = st.sampled_from(["image/png", JSON, "text/plain; charset=utf-8"])
SAMPLES = st.one_of(
    st.builds(Sample, st.binary(max_size=40), KINDS),
    VALUES.map(lambda value: Sample.of({"body": value})),
)


def test_a_file_has_rows_of_json_and_of_anything_else() -> None:
    picture = base64.b64encode(b"\x89PNG").decode()
    data = f'{{"body": [1, 2.5]}}\n\n{{"base64": "{picture}", "contentType": "image/png"}}\n'
    one, other = read(data.encode())
    assert (one.body, one.content_type) == (b"[1,2.5]", "application/json")
    assert (other.body, other.content_type) == (b"\x89PNG", "image/png")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"[]",
        b"{}",
        b"not json",
        b'{"body": NaN}',
        b'{"body": 1, "base64": "", "contentType": "a/b"}',
        b'{"base64": "!", "contentType": "a/b"}',
        b'{"base64": "AA=="}',
        b'{"base64": 1, "contentType": "a/b"}',
        b'{"base64": "AA==", "contentType": "a\\nb"}',
        b"[" * 100_000,
        b'{"body": 1}\n' * (MAX_ROWS + 1),
        b'{"body": "' + b"x" * 9_000_000 + b'"}',
    ],
)
def test_a_file_that_is_none_is_refused_with_the_line(data: bytes) -> None:
    with pytest.raises(SamplesError):
        read(data)


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_that_no_server_takes_by_default_is_refused_with_its_row(more: int) -> None:
    quotes = len('""')
    data = b'{"body": 1}\n{"body": "%s"}\n' % (b"x" * (MAX_BODY_BYTES - quotes + more))
    if not more:
        assert len(read(data)[1].body) == MAX_BODY_BYTES
        return
    with pytest.raises(SamplesError, match="row 2: its request has 6553501 bytes, and 6553500 is"):
        read(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except SamplesError:
        return


def write(path: Path, *lines: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(stored.ENTRY, b"\n".join(lines))
    return path


def content(path: Path) -> tuple[float, list[stored.Row]]:
    with stored.opened(path) as (tolerance, found):
        return tolerance, list(found)


@given(st.lists(st.tuples(SAMPLES, VALUES | st.binary(max_size=40)), max_size=6), st.floats(0, 1))
def test_rows_and_answers_are_read_as_they_were_stored(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[Sample, Any]], tolerance: float
) -> None:
    samples, answers = [one for one, _ in pairs], [answer for _, answer in pairs]
    entry = stored.entry(samples, answers, tolerance)
    path = write(tmp_path_factory.mktemp("archive") / "a.mar", entry)
    assert stored.has(path)
    assert content(path) == (tolerance, [stored.Row(*pair) for pair in pairs])
    assert stored.entry(samples, answers, tolerance) == entry


HEAD, ROW = b'{"tolerance": 0.1}', b'{"body": 1, "answer": 1}'


@pytest.mark.parametrize(
    "lines",
    [
        [b""],
        [b"[]"],
        [b'{"tolerance": 2}', ROW],
        [b'{"tolerance": NaN}', ROW],
        [HEAD, b""],
        [HEAD, b'{"body": 1}'],
        [HEAD, b'{"body": 1, "answer": 1, "answerBase64": "AA=="}'],
        [HEAD, b'{"body": 1, "answerBase64": "!"}'],
        [HEAD, b'{"body": 1, "answer": ' + b"[" * 65 + b"]" * 65 + b"}"],
        [HEAD, b"[" * 100_000],
        [HEAD, *[ROW] * (MAX_ROWS + 1)],
    ],
)
def test_an_entry_that_is_none_is_refused(tmp_path: Path, lines: list[bytes]) -> None:
    with pytest.raises(SamplesError):
        content(write(tmp_path / "a.mar", *lines, b""))


@pytest.mark.parametrize("damage", ["encrypted", "compressed", "content"])
def test_an_entry_that_cannot_be_read_is_refused(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.mar", HEAD, ROW)
    path.write_bytes(damaged_zip(path.read_bytes(), damage))
    with pytest.raises(SamplesError):
        content(path)


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_what_is_no_archive_has_no_samples(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mar"
    assert not stored.has(path)
    path.write_bytes(data)
    assert not stored.has(path)
