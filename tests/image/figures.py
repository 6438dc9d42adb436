"""``python -m tests.image.figures``: train the examples on real data, for docs/examples.md.

Given names (``tables/wine``), it trains these alone and leaves the other rows as they are.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from dev import paths
from tests.image.examples import FLOORS, Trained, documents, train, trainer

PAGE = paths.REPOSITORY / "docs" / "examples.md"
HEAD = (
    *("example", "handler", "held out", "accuracy", "simple model", "commonest"),
    *("weights", "CPU seconds"),
)
BEGIN, END = "which trains them. -->\n", "<!-- end -->"


def table(rows: Mapping[str, str]) -> str:
    """Return the table of rows by examples' names, in the order of the examples."""
    head = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    return "\n".join([*head, *(rows[name] for name in FLOORS if name in rows), ""])


def row(name: str, trained: Trained) -> str:
    """Return an example's row."""
    package = documents(name)[1]["spec"]["package"]
    size = (trained.output / package["serializedFile"]).stat().st_size
    metrics, floor = trained.metrics, FLOORS[name]
    cells = (
        f"`{name}`",
        f"`{package['handler']}`",
        f"{metrics['held']:,.0f}",
        *(_share(metrics.get(each)) for each in (floor.figure, "baseline", floor.trivial)),
        f"{size / 1000:,.0f} kB",
        f"{trained.cpu_seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _share(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def rows(page: str) -> dict[str, str]:
    """Return the rows of a page's table by examples' names."""
    lines = (line for line in _parts(page)[1].splitlines() if line.startswith("| `"))
    return {line.split("`")[1]: line for line in lines}


def _parts(page: str) -> tuple[str, str, str]:
    before, _, others = page.partition(BEGIN)
    inside, _, after = others.partition(END)
    return before + BEGIN, inside, END + after


def main(names: list[str]) -> None:
    """Train examples, and write their rows."""
    page = PAGE.read_text()
    made = rows(page)
    with trainer() as (root, enter):
        for name in names or FLOORS:
            trained = train(Path(root, name.replace("/", "-")), enter, name)
            made[name] = row(name, trained)
            print(made[name], dict(trained.metrics), flush=True)
    before, _, after = _parts(page)
    PAGE.write_text(before + table(made) + after)


if __name__ == "__main__":
    main(sys.argv[1:])
