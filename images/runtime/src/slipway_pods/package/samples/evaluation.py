"""Having the user's own function say how good the answers are: in a process of its own, bounded."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from slipway_pods import beneath
from slipway_pods.package.gates.recorded import Basis
from slipway_pods.package.samples import figures, handed
from slipway_pods.package.samples.bounded_process import run_module
from slipway_pods.store import manifest
from slipway_runtime import strict
from slipway_runtime.checks.package_code import split_handler

FUNCTION = "evaluate"
"""The function that is called where none is named."""
_FILE = "evaluated.json"
_MODULE = "slipway_pods.package.samples.evaluating"


class EvaluationError(Exception):
    """The user's function gives no figures; the text is one sentence."""


@dataclass(frozen=True)
class Program:
    """A function in a file: ``path`` is the file's in the output or the source."""

    path: str
    function: str

    @classmethod
    def named(cls, name: str) -> "Program":
        """Return the one that ``NAME.py:function`` or ``NAME.py`` names."""
        path, function = split_handler(name)
        return cls(path, function or FUNCTION)


def basis(name: str | None) -> Basis:
    """Return what figures go by: the rows that were handed on, and ``samples.evaluate``, if any."""
    rows = handed.rows_sha256()
    if name is None:
        return Basis(rows)
    program = Program.named(name)
    return Basis(rows, manifest.digest(handed.program(program.path)), program.function)


def evaluate(program: Program, folder: Path, deadline: float, log: Path) -> dict[str, float]:
    """Return what the function says of the rows and answers that were handed on.

    ``folder`` is one to write to, ``log`` gets what the process prints. Raises EvaluationError, and
    by ``deadline``, of the monotonic clock, the process is ended.
    """
    what = f"package.samples.evaluate '{program.path}:{program.function}'"
    files = (handed.program(program.path), program.function, *handed.asked(), folder / _FILE)
    with log.open("ab") as output:
        left = deadline - time.monotonic()
        code = run_module(_MODULE, *map(str, files), seconds=left, output=output)
    if code is None:
        text = f"{what} had not ended in time: let it do less, or raise samples.timeoutSeconds."
        raise EvaluationError(text)
    if code == -signal.SIGKILL:
        text = f"{what} was killed: raise package.samples.resources.limits.memory."
        raise EvaluationError(text)
    if code:
        raise EvaluationError(f"{what} failed: its process ended with {code}.")
    try:
        with beneath.Folder(folder) as place:
            data = place.read(_FILE, figures.MAX_BYTES)
        return figures.evaluated(strict.loads(data, figures.MAX_BYTES))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{what} gave no figures: {error}.") from error
