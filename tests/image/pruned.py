"""``python -m tests.image.pruned``: the pruned networks of digits, for docs/examples.md."""

import json
from pathlib import Path
from typing import Any

from dev import paths
from tests.image.examples import documents, run, trainer

EXAMPLE = "pruning/digits"
PAGE = paths.REPOSITORY / "docs" / "examples.md"
BEGIN, END = (
    "<!-- Written by `.venv/bin/python -m tests.image.pruned`. -->\n",
    "<!-- end of pruned -->",
)
HEAD = ("network", "weights", "not zero", "file", "compressed", "processor time", "cut", "accuracy")


def rows(output: Path) -> dict[str, dict[str, Any]]:
    """Return the rows that the example has written, by their networks' names."""
    told = json.loads((output / "pruning.json").read_text())
    return {row["form"]: row for row in told}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the page's table."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    return "\n".join([*lines, *map(_line, found.values()), ""])


def _line(row: dict[str, Any]) -> str:
    cut = row["beforeFineTuning"]
    cells = (
        f"{row['weights']:,}",
        f"{row['nonzero']:,}",
        f"{row['sizeBytes'] / 1000:,.0f} kB",
        f"{row['compressedBytes'] / 1000:,.0f} kB",
        f"{row['milliseconds']:.3f} ms",
        "-" if cut is None else f"{cut:.3f}",
        f"{row['accuracy']:.3f}",
    )
    return f"| `{row['form']}` | {' | '.join(cells)} |"


def told(page: str) -> dict[str, list[str]]:
    """Return the cells of the page's table, by the networks' names."""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in inside.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: [c.strip() for c in line.split("|")[2:-1]] for line in lines}


def main() -> None:
    """Train, and write the table."""
    source, job, _ = documents(EXAMPLE)
    with trainer() as (root, enter):
        trained = run(root / "example", enter, source["data"], job["spec"]["entrypoint"])
        text = table(rows(trained.output))
    print(text, f"{trained.cpu_seconds:.0f} s")
    before, _, others = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + others.partition(END)[2])


if __name__ == "__main__":
    main()
