"""Plays cases, each in a namespace of its own, several at a time."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.cluster.conftest import fresh_space
from tests.cluster.support import ROOT, Space
from tests.harness import Cluster, Kubectl, KubectlError, Object
from tests.reports.case import TRAINER_IMAGE, Case, Group, Look, Sight, Stage, Tested

PAUSE_SECONDS = 1.0
"""Pause between two looks at a case, in seconds."""


Played = tuple[Case | Tested, Sight]


def play_all(
    cluster: Cluster, wanted: Sequence[Case | Group | Tested], at_once: int
) -> Iterator[Played]:
    """Yield each case with what was seen of it in the end, in the order in which they end.

    Tests come last and one by one: they start API servers and proxies of their own.
    """
    with ThreadPoolExecutor(at_once) as pool:
        cases = (one for one in wanted if not isinstance(one, Tested))
        playing = [pool.submit(_played, cluster, one) for one in cases]
        for done in as_completed(playing):
            yield from done.result()
    for one in wanted:
        if isinstance(one, Tested):
            yield one, run_tests(one)


def _played(cluster: Cluster, wanted: Case | Group) -> list[Played]:
    if isinstance(wanted, Group):
        return play_group(cluster, wanted)
    return [(wanted, play(cluster, wanted))]


def play_group(cluster: Cluster, group: Group) -> list[Played]:
    """Return what was seen of each case of a group."""
    with fresh_space(cluster.kubectl, "report") as space:
        stage = Stage(cluster, space)
        try:
            group.before(stage)
            _apply(stage, group.objects)
            begun = _watch(space, group.ready, group.seconds)
        except Exception as error:  # it breaks for each of its cases
            begun = Sight(f"the group broke: {error!r}", False)
        if not begun.right:
            return [(case, begun) for case in group.cases]
        return [(case, _act_and_look(stage, case)) for case in group.cases]


def _act_and_look(stage: Stage, case: Case) -> Sight:
    assert case.look is not None
    try:
        case.act(stage)
    except Exception as error:  # a case that breaks is a row, not the end of the table
        return Sight(f"the case broke: {error!r}", False)
    return _watch(stage.space, case.look, case.seconds)


def run_tests(tested: Tested) -> Sight:
    """Run tests and return their last line."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", *tested.tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    return Sight(
        f"{', '.join(one.rpartition('::')[2] for one in tested.tests)}: {last}", not done.returncode
    )


def play(cluster: Cluster, case: Case) -> Sight:
    """Return what was seen of a case: as soon as it is right or over, or at its deadline."""
    with fresh_space(cluster.kubectl, "report") as space:
        stage = Stage(cluster, space)
        try:
            case.before(stage)
            _apply(stage, case.objects)
            case.act(stage)
        except KubectlError as error:
            text = " ".join(str(error).split())
            expected = bool(case.refused) and all(word in text for word in case.refused)
            return Sight(f"refused: {text}", expected)
        except Exception as error:  # a case that breaks is a row, not the end of the table
            return Sight(f"the case broke: {error!r}", False)
        if case.look is None:
            return Sight("not refused", False)
        return _watch(space, case.look, case.seconds)


def _apply(stage: Stage, objects: Sequence[Object]) -> None:
    text = json.dumps(list(objects))
    if TRAINER_IMAGE in text:
        text = text.replace(TRAINER_IMAGE, trainer_image(stage.cluster.system))
    stage.space.apply(*json.loads(text))


def _watch(space: Space, look: Look, seconds: float) -> Sight:
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = look(space)
        except Exception as error:  # what is looked for may not be there yet
            seen = Sight(f"nothing: {error!r}", False)
        if seen.right or seen.over or time.monotonic() > deadline:
            return seen
        time.sleep(PAUSE_SECONDS)


def trainer_image(system: Kubectl) -> str:
    """Return the image that the release's TrainingJobs run in where they name none."""
    (operator,) = system.list("deployments", "app.kubernetes.io/component=operator")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    return str(env["SLIPWAY_TRAINER_IMAGE"])
