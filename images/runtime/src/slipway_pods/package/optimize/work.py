"""Makes and measures a model's forms: a process of its own, which is ended when its time is over.

`python -m slipway_pods.package.optimize.work ARCHIVE MADE CANDIDATE...`, where ARCHIVE is the
folder of an unpacked archive, and MADE one for the forms. What is measured goes to `figures.FILE`
there, a line for each form once all of it is known; forms' files are named by `figures.form`.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slipway_pods.package.optimize import candidates, closeness, figures, turns
from slipway_pods.package.optimize.figures import FLOAT, Failed, Figures
from slipway_pods.package.optimize.recording import MANIFEST, Recorded, record
from slipway_pods.package.samples import handed
from slipway_runtime.termination import say

CALIBRATED = 4
"""Each fourth row calibrates; the others judge, unless there is one row alone."""


def main(archive: Path, folder: Path, names: Sequence[str]) -> None:
    """Make and measure forms; what goes wrong with the float model is a line of its own."""
    with (folder / figures.FILE).open("ab", buffering=0) as file:
        try:
            work = begun(archive, folder, lambda line: file.write(line))
        except Exception as error:  # the handler's, whose answers are asked for later
            file.write(figures.line(Failed(FLOAT, str(error) or type(error).__name__)))
            raise
        for name in names:
            work.make(name)
        work.measure()


def begun(archive: Path, folder: Path, write: Callable[[bytes], Any]) -> "Work":
    """Return the work on an archive's model, which has answered its rows."""
    recorded = record(archive, handed.samples())
    told = json.loads((archive / MANIFEST).read_bytes())["model"]["serializedFile"]
    judging = [row for at, row in enumerate(recorded.calls) if at % CALIBRATED]
    source = candidates.Source(archive / told, recorded.calls[::CALIBRATED], folder)
    return Work(recorded, judging or recorded.calls, source, write)


class Work:
    """The forms of one model: each is made and compared, and then all are timed in turns."""

    def __init__(
        self,
        recorded: Recorded,
        rows: Sequence[tuple[Any, ...]],
        source: candidates.Source,
        write: Callable[[bytes], Any],
    ) -> None:
        self._recorded, self._rows, self._source, self._write = recorded, rows, source, write
        self._models: dict[str, turns.Model] = {FLOAT: recorded.model}
        self._sizes = {FLOAT: source.path.stat().st_size}
        self._answers = self._ask(recorded.model)
        self._near: dict[str, tuple[float, float | None]] = {FLOAT: self._nearness(self._answers)}

    def make(self, name: str) -> None:
        """Make one form, and compare its answers; a line says so where that fails."""
        import torch

        from slipway_handlers.formats.model import LOADERS

        try:
            if self._recorded.is_batched and name in candidates.OF_THE_BATCH:
                raise ValueError("its answers would hang on what is in a batch beside (batchSize)")
            file = figures.form(self._source.folder, name)
            candidates.MAKERS[name](self._source, file)
            model = LOADERS[file.suffix](file, torch.device("cpu"))
            self._near[name] = self._nearness(self._ask(model))
            self._models[name], self._sizes[name] = model, file.stat().st_size
        except Exception as error:  # whatever a library raises is one candidate's misfortune
            say(f"{name}: {error!r}")
            self._write(figures.line(Failed(name, str(error) or type(error).__name__)))

    def measure(self) -> None:
        """Time all that were made, and tell each one's figures."""
        import torch

        with torch.inference_mode():
            times = turns.milliseconds(self._models, self._rows)
        for name, taken in times.items():
            told = Figures(name, self._sizes[name], taken, *self._near[name])
            self._write(figures.line(told))

    def _ask(self, model: turns.Model) -> list[closeness.Output]:
        import torch

        with torch.inference_mode():
            return [_arrays(model(*row)) for row in self._rows]

    def _nearness(self, told: Sequence[closeness.Output]) -> tuple[float, float | None]:
        far = closeness.difference(told, self._answers)
        same = self._recorded.are_classes
        return far, closeness.agreement(told, self._answers) if same else None


def _arrays(output: Any) -> closeness.Output:
    """Return the arrays of an output, which is a tensor, or several in a list or by names."""
    if isinstance(output, dict):
        output = tuple(output.values())
    several = output if isinstance(output, tuple | list) else (output,)
    return [each.detach().cpu().numpy() for each in several]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
