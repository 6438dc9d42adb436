"""Plays cases, each in a namespace of its own, several at a time."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.cluster.conftest import fresh_space
from tests.cluster.support import Space
from tests.harness import Cluster, Kubectl, KubectlError, Object
from tests.reports.case import TRAINER_IMAGE, Case, Look, Sight, Stage

PAUSE_SECONDS = 1.0
"""Pause between two looks at a case, in seconds."""


def play_all(cluster: Cluster, cases: Sequence[Case], at_once: int) -> Iterator[tuple[Case, Sight]]:
    """Yield each case with what was seen of it in the end, in the order in which they end."""
    with ThreadPoolExecutor(at_once) as pool:
        playing = {pool.submit(play, cluster, case): case for case in cases}
        for done in as_completed(playing):
            yield playing[done], done.result()


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
