"""How the best form comes from the container that made it to the one that stores the archive.

`optimized` runs where there is neither a credential nor a key, and leaves figures and a file;
`taken` reads them as an enemy's. Both choose by the same figures.
"""

import json
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

from slipway_pods import beneath
from slipway_pods.package.optimize import choice, figures
from slipway_pods.package.optimize.choice import Row, Wanted
from slipway_pods.package.optimize.figures import FLOAT, Figures
from slipway_pods.package.optimize.recording import MANIFEST
from slipway_pods.package.samples import handed
from slipway_pods.package.samples.bounded_process import run_module
from slipway_runtime.checks.package_code import PackageError
from slipway_runtime.termination import say

FIGURES = "optimized.jsonl"
BLOCK = 1 << 20
_MODULE = "slipway_pods.package.optimize.work"


def handed_name(name: str) -> str:
    """Return what a candidate's file is called where it is handed on."""
    return f"optimized{figures.suffix(name)}"


def optimized(wanted: Wanted, archive: Path, scratch: Path) -> Path:
    """Make and measure an archive's candidates, and hand the best one on.

    Returns what is to be served, the folder of the unpacked archive with that model in it; it lies
    in ``scratch``, as all that is made. Raises OSError.
    """
    folder, made = scratch / "archive", scratch / "made"
    made.mkdir()
    with zipfile.ZipFile(archive) as bundle:
        bundle.extractall(folder)
    _work(wanted, folder, made)
    told = made / figures.FILE
    lines = told.read_bytes() if told.exists() else b""
    (handed.ANSWERS / FIGURES).write_bytes(lines)
    rows = choice.judge(wanted, figures.read(lines, wanted.candidates))
    best = choice.chosen(rows)
    for row in rows:
        say(f"{row.name}: {row.verdict}. {row.message} {json.dumps(row.told)}")
    if best.name != FLOAT:
        model = handed.ANSWERS / handed_name(best.name)
        shutil.copyfile(figures.form(made, best.name), model)
        _swap(folder, model)
    return folder


def _work(wanted: Wanted, folder: Path, made: Path) -> None:
    """Run the work until it is done or its time is over; what it prints is the container's log."""
    words = (str(folder), str(made), *wanted.candidates)
    if run_module(_MODULE, *words, seconds=wanted.seconds, output=sys.stderr.fileno()) is None:
        say(f"The candidates were not all measured in {wanted.seconds:g} seconds.")


def _swap(folder: Path, model: Path) -> None:
    """Put another model in place of an unpacked archive's."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    old = Path(manifest["model"]["serializedFile"])
    (folder / old).unlink()
    shutil.copyfile(model, folder / old.with_suffix(model.suffix))
    manifest["model"]["serializedFile"] = str(old.with_suffix(model.suffix))
    (folder / MANIFEST).write_text(json.dumps(manifest))


def taken(wanted: Wanted, size: int, folder: Path) -> tuple[list[Row], Path | None]:
    """Return each form's row, and the best one's file in a folder; None where it is the float one.

    ``size`` is the float model's in bytes, as whoever reads knows it. Raises PackageError for a
    file that is not what the figures say.
    """
    try:
        with beneath.Folder(handed.ANSWERS) as answers:
            lines = answers.read(FIGURES, figures.MAX_BYTES)
            found = figures.read(lines, wanted.candidates)
            plain = found[FLOAT]
            if isinstance(plain, Figures):
                found[FLOAT] = replace(plain, size_bytes=size)
            rows = choice.judge(wanted, found)
            best = choice.chosen(rows)
            if best.name == FLOAT or best.figures is None:
                return rows, None
            target = folder / handed_name(best.name)
            _copy(answers, target, best.figures.size_bytes)
            return rows, target
    except (OSError, ValueError) as error:
        text = f"The model of package.optimize cannot be taken: {error}."
        raise PackageError("OptimizationFailed", text) from error


def _copy(answers: beneath.Folder, target: Path, size: int) -> None:
    """Copy the best form's file of that name; raises ValueError where it has another size."""
    with answers.open(target.name) as file, target.open("wb") as copy:
        left = size + 1
        while left and (block := file.read(min(BLOCK, left))):
            copy.write(block)
            left -= len(block)
    if left != 1:
        raise ValueError(f"{target.name} has not the {size} bytes that it was measured with")
