"""Which of the tests begin next, so that waiting and computing go on side by side."""

import re
from pathlib import Path

import pytest

from tests.harness.order import (
    ALONE,
    INDEPENDENT,
    LAST,
    MOST_AT_THE_CLUSTER,
    QUICKSTART,
    SERVING,
    next_scope,
    scope_of,
    turn_of,
)

CLUSTER = Path(__file__).parents[1] / "cluster"
REST = ("contract", "tests/unit/test_lanes.py")
FAR = ["tests/unit/test_uris.py::test_it"]
NAMES = ("traffic", "training", "launch", "release", "examples")
AT = [[f"tests/cluster/test_{name}.py::test_it"] for name in NAMES]


def test_the_first_begins_with_what_wants_the_cluster_alone() -> None:
    assert next_scope([QUICKSTART, *REST], []) == QUICKSTART


@pytest.mark.parametrize("module", ALONE)
def test_nothing_else_begins_at_the_cluster_while_it_is_wanted_alone(module: str) -> None:
    begun = [[f"tests/cluster/test_{module}.py::test_it", "tests/cluster/test_quickstart.py::a"]]
    assert next_scope([SERVING, *REST], begun) == "contract"


@pytest.mark.parametrize("count", range(len(AT) + 1))
def test_some_workers_are_at_the_cluster_and_the_others_are_not(count: int) -> None:
    wanted = SERVING if count < MOST_AT_THE_CLUSTER else "contract"
    assert next_scope([SERVING, *REST], [*AT[:count], FAR, []]) == wanted


def test_where_one_lane_is_empty_all_take_from_the_other() -> None:
    assert next_scope(["contract", *REST], []) == "contract"
    assert next_scope([SERVING], AT) == SERVING


def test_the_modules_that_want_the_cluster_alone_are_those_that_are_marked_so() -> None:
    mark = re.compile(r"^pytestmark = .*\balone\b", re.MULTILINE)
    long = re.compile(r"^pytestmark = .*\blong\b", re.MULTILINE)
    texts = {path.stem.removeprefix("test_"): path.read_text() for path in CLUSTER.glob("test_*")}
    marked = {name for name, text in texts.items() if mark.search(text) and not long.search(text)}
    assert marked == set(ALONE)


@pytest.mark.parametrize("name", INDEPENDENT)
def test_what_needs_nothing_of_others_is_a_scope_of_its_own(name: str) -> None:
    path = f"tests/cluster/test_{name}.py"
    assert (CLUSTER / f"test_{name}.py").is_file()
    assert scope_of(f"{path}::test_it") == path


def test_what_removes_the_release_comes_after_all_others() -> None:
    upgrade = turn_of(f"{LAST}::test_it", True)
    files = (path.relative_to(CLUSTER.parents[1]) for path in CLUSTER.parent.rglob("test_*.py"))
    others = [f"{path}::test_it" for path in files if str(path) != LAST]
    assert max(turn_of(other, alone) for other in others for alone in (True, False)) < upgrade


def test_of_a_scope_those_that_want_the_cluster_alone_are_first() -> None:
    alone = turn_of("tests/cluster/test_operator.py::test_it", True)
    assert alone < turn_of("tests/cluster/test_console.py::test_it", False)
