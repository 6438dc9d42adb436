"""Rows and the answers that they had, as an entry of the archive.

Its first line is ``{"tolerance": number}``. Each other line is a row as `rows` has it, with its
answer beside it: ``"answer"``, any JSON, or ``"answerBase64"`` for what is none. Lines are read one
at a time, so that a pod holds none but those that it asks just now.
"""

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slipway_pods.bring.archive import ArchiveError, readable
from slipway_pods.serve.samples.difference import MAX_DEPTH, is_within
from slipway_pods.serve.samples.rows import (
    MAX_BYTES,
    MAX_ROWS,
    Sample,
    SamplesError,
    compact,
    decoded,
    encoded,
)
from slipway_runtime import strict

ENTRY = "MAR-INF/SAMPLES.jsonl"
"""The entry of a ``.mar``; servers know no such entry."""
MAX_LINE = 2 * MAX_BYTES
"""Longest line: a row and its answer, in base64."""
MAX_TOLERANCE = 1.0


@dataclass(frozen=True)
class Row:
    """A request and its answer, a JSON value or bytes."""

    sample: Sample
    answer: Any

    @classmethod
    def read(cls, line: bytes) -> "Row":
        """Return what a line says; raises ValueError."""
        told = strict.loads(line, MAX_LINE)
        return cls(Sample.of(told), answer_of(told))

    @property
    def line(self) -> bytes:
        """The line that says it."""
        return compact({**self.sample.told, **answer_told(self.answer)})


def answer_told(answer: Any) -> dict[str, Any]:
    """Return the fields of an answer, a JSON value or bytes."""
    if isinstance(answer, bytes):
        return {"answerBase64": encoded(answer)}
    return {"answer": answer}


def answer_of(told: Any) -> Any:
    """Return the answer that an object tells of; raises ValueError."""
    if not isinstance(told, dict) or ("answer" in told) == ("answerBase64" in told):
        raise ValueError("it is no object with either answer or answerBase64")
    if "answerBase64" in told:
        return decoded(told["answerBase64"])
    if not is_within(told["answer"], MAX_DEPTH):
        raise ValueError("answer is nested too deeply")
    return told["answer"]


def entry(samples: Sequence[Sample], answers: Sequence[Any], tolerance: float) -> bytes:
    """Return the entry's content; the same rows and answers give the same bytes."""
    rows = (Row(*pair).line for pair in zip(samples, answers, strict=True))
    return b"".join(line + b"\n" for line in (compact({"tolerance": tolerance}), *rows))


def has(archive: Path) -> bool:
    """Tell whether a file is an archive with such an entry."""
    try:
        with readable(), zipfile.ZipFile(archive) as bundle:
            return ENTRY in bundle.namelist()
    except (ArchiveError, OSError):
        return False  # the server says so


@contextlib.contextmanager
def opened(archive: Path) -> Iterator[tuple[float, Iterator[Row]]]:
    """Open the entry of an archive that has one: the tolerance, and the rows one after the other.

    Raises SamplesError, in the course of the rows too, for what is no such entry, and OSError.
    """
    with contextlib.ExitStack() as stack:
        with _readable():
            bundle = stack.enter_context(zipfile.ZipFile(archive))
            file = stack.enter_context(bundle.open(ENTRY))
        lines = _lines(file)
        yield _tolerance(next(lines, b"")), _rows(lines)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        with readable():
            yield
    except ArchiveError as error:
        raise SamplesError(str(error.__cause__ or error)) from error


def _tolerance(line: bytes) -> float:
    try:
        head = strict.Fields(strict.loads(line, MAX_LINE))
        return head.number("tolerance", MAX_TOLERANCE)
    except ValueError as error:
        raise SamplesError(f"its first line: {error}") from error


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _readable():
            line = file.readline(MAX_LINE + 1)
        if not line:
            return
        yield line


def _rows(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if number > MAX_ROWS:
            raise SamplesError(f"it has more than {MAX_ROWS} rows")
        try:
            yield Row.read(line)
        except ValueError as error:
            raise SamplesError(f"row {number}: {error}") from error
