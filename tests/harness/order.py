"""In what order tests run, and on which worker: what waits goes beside what computes."""

from collections.abc import Iterable
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

QUICKSTART = "the quickstart"
"""Name of the scope of all that looks at one quickstart, or disturbs the whole cluster."""
SERVING = "the served model"
"""Name of the scope of all that serves a quickstart's model on its own."""
INDEPENDENT = (
    "loop",
    "own_servers",
    "traffic",
    "checkpoints",
    "examples",
    "audiences",
    "trusted_archives",
    "training",
    "optimized",
    "fastest",
    "distillation",
    "training_life",
    "runtimes",
    "built_in_handlers",
    "release",
    "launch",
)
"""The modules of cluster tests that need nothing of others', and let them be; the longest first."""
ORDER = (
    QUICKSTART,
    "contract",
    "security",
    "chart",
    "scale",
    "unit/envoy",
    SERVING,
    *INDEPENDENT,
    "unit",
    "property",
)
"""The scopes in the order in which they begin, in two lanes: what needs the cluster, and the rest.

The first one's tests want the cluster alone before all else: meanwhile all other workers do what
needs none of it.
"""
ALONE = ("local_cluster", "operator")
"""The modules of the first scope that want the cluster alone."""
LAST = "tests/cluster/test_upgrade.py"
"""The file whose tests remove the release, and with it what the others share."""
MOST_AT_THE_CLUSTER = 3
"""How many workers are at the cluster at once, at most.

They wait for pods most of the time, while the others' tests take the processors: both go on side
by side from the first minute to the last.
"""


def scope_of(nodeid: str) -> str:
    """Return the name of what a test shares its machinery with, so that one worker runs it all."""
    file = Path(nodeid.partition("::")[0])
    folder = file.parts[1]
    if folder == "cluster":
        module = file.stem.removeprefix("test_")
        if module in ("rollouts", "serving"):
            return SERVING
        return str(file) if module in INDEPENDENT else QUICKSTART
    shares = folder in ("contract", "security", "chart", "image") and file.parts[2] != "operator"
    return folder if shares else str(file)


def place_of(scope: str) -> int:
    """Return where a scope stands in `ORDER`; those that are not named there come last."""
    _, folder, *rest = Path(scope).parts if "/" in scope else ("", scope)
    if folder == "cluster":
        names = [Path(rest[-1]).stem.removeprefix("test_")]
    else:
        names = ["/".join((folder, *rest[:1])), folder]
    return next((ORDER.index(name) for name in names if name in ORDER), len(ORDER))


def turn_of(nodeid: str, alone: bool) -> tuple[bool, int, bool]:
    """Return what tests are sorted by: of a scope, those that want the cluster alone are first."""
    return nodeid.startswith(f"{LAST}::"), place_of(scope_of(nodeid)), not alone


def is_at_the_cluster(scope: str) -> bool:
    """Tell whether a scope's tests need the local cluster."""
    return scope in (QUICKSTART, SERVING) or scope.startswith("tests/cluster/")


def next_scope(waiting: Iterable[str], begun: Iterable[Iterable[str]]) -> str:
    """Return which of the scopes that wait begins next.

    ``begun`` are the tests that each of the other workers has still to do.
    """
    at_the_cluster = [
        [test for test in tests if is_at_the_cluster(scope_of(test))] for tests in begun
    ]
    left = {Path(test.partition("::")[0]).stem for tests in at_the_cluster for test in tests}
    alone = any(f"test_{module}" in left for module in ALONE)
    full = alone or sum(map(bool, at_the_cluster)) >= MOST_AT_THE_CLUSTER
    order = list(waiting)
    return next((scope for scope in order if is_at_the_cluster(scope) != full), order[0])


class ByMachinery(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps on one worker what shares a quickstart or a control plane, and each other file too."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker what `next_scope` says."""
        begun = [
            [test for tests in work.values() for test, done in tests.items() if not done]
            for other, work in self.assigned_work.items()
            if other is not node
        ]
        self.workqueue.move_to_end(next_scope(self.workqueue, begun), last=False)
        super()._assign_work_unit(node)
