"""Call the function of ``samples.evaluate``: the program that runs the user's own code.

Arguments: its file, its function, the files of answers and of rows, and the file that the figures
are written to, as a JSON object. Whatever is wrong ends it with a traceback.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway_pods.package.samples.figures import evaluated
from slipway_pods.serve.samples.stored import answer_of


def load(program: Path, function: str) -> Callable[[Sequence[Any], Sequence[Any]], object]:
    """Return a function of a file, which is imported for it."""
    spec = importlib.util.spec_from_file_location(program.stem, program)
    if spec is None or spec.loader is None:
        raise ImportError(f"{program.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[program.stem] = module
    spec.loader.exec_module(module)
    found: Callable[[Sequence[Any], Sequence[Any]], object] = getattr(module, function)
    return found


def lines(path: Path) -> list[Any]:
    """Return the values of a file with a JSON text a line."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


def plain(figures: object) -> dict[str, float]:
    """Return figures with Python's own numbers; raises TypeError or ValueError for what are none.

    What is no number and can become one, such as a tensor or an array with one value, does.
    """
    if not isinstance(figures, Mapping):
        kind = type(figures).__name__
        raise TypeError(f'it returned a {kind}: return a dict such as {{"accuracy": 0.93}}')
    texts = [name for name, value in figures.items() if isinstance(value, bool | str | bytes)]
    if texts:
        raise TypeError(f"{texts[0]} is no number: return numbers alone")
    return evaluated({name: float(value) for name, value in figures.items()})


def main(words: Sequence[str]) -> None:
    """Evaluate, and write the figures."""
    program, function, answers, rows, target = words
    given = [answer_of(told) for told in lines(Path(answers))]
    figures = plain(load(Path(program), function)(given, lines(Path(rows))))
    Path(target).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
