"""What the packaging pod's containers hand on, where an archive has samples.

Three come one after the other. `build` makes the archive, and has the store's credentials. `answer`
runs the archive's own handler on the rows; all that it writes is an enemy's. `package` adds rows
and answers to the archive, and judges, signs and stores it.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_pods import beneath
from slipway_pods.package.gates.recorded import Basis
from slipway_pods.package.samples.figures import MAX_BYTES as MAX_FIGURES_BYTES
from slipway_pods.package.samples.figures import Figures
from slipway_pods.serve.samples.rows import MAX_BYTES, Sample, SamplesError, read
from slipway_pods.serve.samples.stored import answer_of, answer_told, entry
from slipway_runtime import strict
from slipway_runtime.checks.package_code import PackageError

BUILT = Path("/slipway/built")
"""Where what `build` made is mounted; `answer` cannot write there."""
ANSWERS = Path("/slipway/answers")
"""Where `answer` writes."""
MADE = "built"
"""The folder of what `build` made in its TMPDIR."""
MAX_ANSWERS_BYTES = MAX_BYTES
"""Longest file of answers."""
_ARCHIVE, _ROWS, _FACTS, _FILE = "model.mar", "rows.jsonl", "facts.json", "answers.jsonl"
_FIGURES, _PROGRAM = "figures.json", "evaluate"


@dataclass(frozen=True)
class Built:
    """An archive, the packages that are installed in it, and how many rows of samples it has.

    ``packages`` is None where none were to be installed. ``optimization`` has a row for each form
    of the model that was measured. ``figures`` are those that were found while it answered the
    rows, and ``basis`` is what these go by.
    """

    archive: Path
    packages: Sequence[Mapping[str, str]] | None = None
    rows: int = 0
    figures: Figures = field(default_factory=Figures)
    basis: Basis = field(default_factory=Basis)
    optimization: Sequence[Mapping[str, Any]] = ()


def give(made: Built, rows: Path, folder: Path, evaluate: Path | None = None) -> None:
    """Put what was built into a folder, whose earlier content goes, by renaming.

    ``evaluate`` is the file of ``samples.evaluate``, if there is one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    facts = {"requirements": None if made.packages is None else list(made.packages)}
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
    shutil.copyfile(rows, folder / _ROWS)
    if evaluate is not None:
        (folder / _PROGRAM).mkdir()
        shutil.copyfile(evaluate, folder / _PROGRAM / evaluate.name)
    made.archive.rename(folder / _ARCHIVE)


def taken() -> Built:
    """Return what was built."""
    facts = json.loads((BUILT / _FACTS).read_bytes())
    return Built(BUILT / _ARCHIVE, facts["requirements"])


def samples() -> list[Sample]:
    """Return the rows that were built in."""
    return read((BUILT / _ROWS).read_bytes())


def rows_sha256() -> str:
    """Return the digest of their file."""
    return hashlib.sha256((BUILT / _ROWS).read_bytes()).hexdigest()


def program(path: str) -> Path:
    """Return where the file of ``samples.evaluate`` is that has a path in the output or source."""
    return BUILT / _PROGRAM / Path(path).name


def asked() -> tuple[Path, Path]:
    """Return where the answers and the rows are, the latter read-only, for the evaluation."""
    return ANSWERS / _FILE, BUILT / _ROWS


def tell(figures: Figures) -> None:
    """Write figures."""
    (ANSWERS / _FIGURES).write_bytes(figures.told)


def figures(*, evaluates: bool) -> Figures:
    """Return the figures, whoever wrote them; raises PackageError for what are none.

    The image of an earlier release writes none, and evaluates nothing. What nobody asked to be
    evaluated is left out.
    """
    try:
        with beneath.Folder(ANSWERS) as folder:
            found = Figures.read(folder.read(_FIGURES, MAX_FIGURES_BYTES))
    except FileNotFoundError as error:
        if not evaluates:
            return Figures()
        text = "There are no figures of package.samples.evaluate: samples.image is too old for it."
        raise PackageError("EvaluateFailed", text) from error
    except (OSError, ValueError) as error:
        text = f"The figures of the model cannot be taken: {error}."
        raise PackageError("EvaluateFailed", text) from error
    return found if evaluates else Figures(found.latency)


def write(answers: Sequence[Any]) -> None:
    """Write answers, JSON values or bytes; raises SamplesError where they are too long."""
    data = b"".join(json.dumps(answer_told(each)).encode() + b"\n" for each in answers)
    if len(data) > MAX_ANSWERS_BYTES:
        raise SamplesError(
            f"the answers have {len(data)} bytes together, and {MAX_ANSWERS_BYTES} is the most: "
            "write fewer rows"
        )
    (ANSWERS / _FILE).write_bytes(data)


def answered(rows: Sequence[Sample], tolerance: float) -> bytes:
    """Return the archive's entry of rows and their answers, whoever wrote the answers.

    Raises PackageError for what is no file with an answer to each row.
    """
    try:
        with beneath.Folder(ANSWERS) as folder:
            data = folder.read(_FILE, MAX_ANSWERS_BYTES)
        if len(data) > MAX_ANSWERS_BYTES:
            raise ValueError(f"they have more than {MAX_ANSWERS_BYTES} bytes")
        lines = data.splitlines()
        if len(lines) != len(rows):
            raise ValueError(f"there are {len(lines)} to {len(rows)} rows")
        answers = [answer_of(strict.loads(line, MAX_ANSWERS_BYTES)) for line in lines]
        return entry(rows, answers, tolerance)
    except (OSError, ValueError) as error:
        text = f"The answers to package.samples cannot be taken: {error}."
        raise PackageError("SamplesFailed", text) from error
