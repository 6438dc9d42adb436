"""``python -m tests.reports [WORD...]``: play the cases, and print a line of the table for each.

The exit code is 1 where what was seen of a case is not what is expected.
"""

import argparse
import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import tests.reports
from tests.harness import Cluster
from tests.reports.case import Case, Group, NotPlayed, Tested
from tests.reports.play import play_all

HEAD = "| case | expected | seen | |"
RULE = "|---|---|---|---|"
LONGEST = 300
"""Most of what was seen that a row shows, in characters."""


Report = Case | Group | Tested | NotPlayed


def known() -> Iterator[Report]:
    """Yield the cases of all files of this package that have some."""
    for module in pkgutil.iter_modules(tests.reports.__path__):
        if not module.name.startswith("_"):
            found = importlib.import_module(f"{tests.reports.__name__}.{module.name}")
            yield from getattr(found, "CASES", ())


def chosen(reports: Iterable[Report], words: Sequence[str]) -> Iterator[Report]:
    """Yield the reports whose names have one of the words; of a group those cases alone."""
    for report in reports:
        if isinstance(report, Group):
            cases = tuple(case for case in report.cases if _has_one(case.name, words))
            if cases:
                yield replace(report, cases=cases)
        elif _has_one(report.name, words):
            yield report


def _has_one(name: str, words: Sequence[str]) -> bool:
    return any(word in name for word in words)


def row(*cells: str) -> str:
    """Return a line of the table; what would end a cell does not."""
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Play the cases whose names have one of the words, all by default; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.reports", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of the names of cases")
    parser.add_argument("--at-once", type=int, default=6, help="how many are played at a time")
    parser.add_argument("--no-tests", action="store_true", help="leave out those that tests play")
    parser.add_argument("--running", action="store_true", help="take the cluster as it is")
    arguments = parser.parse_args(argv)
    wanted = list(chosen(known(), arguments.words or [""]))
    if arguments.no_tests:
        wanted = [case for case in wanted if not isinstance(case, Tested)]
    with contextlib.redirect_stdout(sys.stderr):
        cluster = Cluster.running() if arguments.running else Cluster.ensure()
    print(HEAD, RULE, sep="\n", flush=True)
    different = 0
    played = 0
    cases = [case for case in wanted if not isinstance(case, NotPlayed)]
    for case, seen in play_all(cluster, cases, arguments.at_once):
        played += 1
        different += not seen.right
        mark = "as expected" if seen.right else "DIFFERENT"
        print(row(case.name, case.expected, seen.text[:LONGEST], mark), flush=True)
    for report in wanted:
        if isinstance(report, NotPlayed):
            print(row(report.name, report.why, "", "not played"), flush=True)
    print(f"\n{played} cases played, {different} different from what is expected.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
