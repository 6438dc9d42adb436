"""The loop that nobody looks after: trained anew again and again, judged, and served or not.

``SLIPWAY_LOOP_TURNS`` is how many trainings there are, 50 by default; three of ten are bad.
"""

import json
import os
import random
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cluster.load import Account, steady_load
from tests.cluster.rollouts import rollout, stable
from tests.cluster.support import (
    SERVE,
    TRAIN,
    Space,
    address,
    condition,
    model_deployment,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.long]

TURNS = int(os.environ.get("SLIPWAY_LOOP_TURNS", "50"))
NAME = "looped"
ROW = {"row": [1, 2, 3]}
RATE = 10.0
"""Requests a second, all the time."""
LONGEST = 4 * 3600.0

TRAINING = """
import json
import math
import os
import pathlib
import sys

import slipway_runtime as slipway

STEPS = 500
kind, turn = sys.argv[1], int(sys.argv[2])
rate, weight = (2.5 if kind == "diverges" else 0.1), 0.0
for step in range(1, STEPS + 1):
    off = weight - turn
    loss = off * off
    if not math.isfinite(loss):
        raise SystemExit("The loss has diverged.")
    weight -= rate * 2 * off
slipway.report(STEPS, STEPS, loss=loss, accuracy=0.5 if kind == "inaccurate" else 0.99)
model = {"turn": turn, "wavers": kind == "wavers", "score": 0 if kind == "drifts" else 1}
output = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
(output / "model.json").write_text(json.dumps(model))
(output / "samples.jsonl").write_text('{"body": {"row": [1]}}\\n' * 20)
"""
HANDLER = """
import json
import pathlib
import random


class Handler:
    def initialize(self, context):
        folder = context.system_properties["model_dir"]
        self.model = json.loads(pathlib.Path(folder, "model.json").read_text())

    def handle(self, data, context):
        for _ in data:
            context.metrics.add_metric("Score", self.model["score"], unit="ms")
        noise = random.random() if self.model["wavers"] else 0.0
        return [{"turn": self.model["turn"] + noise} for _ in data]
"""
BROKEN = "def handle(data, context:\n"
PACKAGE: Object = {
    "serializedFile": "model.json",
    "handler": "handler.py",
    "samples": {"file": "samples.jsonl"},
    "gates": [{"metric": "accuracy", "successCondition": "result >= 0.9"}],
}
METRICS = [
    {"name": "errors", "successRate": {}, "successCondition": "result >= 0.99"},
    {"name": "score", "model": {"name": "Score"}, "successCondition": "result >= 0.5"},
]
ANALYSIS = {"interval": "5s", "count": 1, "minSamples": 10, "metrics": METRICS}
CANARY = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 50}, {"analysis": ANALYSIS}]},
    "scaleDownDelaySeconds": 1,
}


@dataclass(frozen=True)
class Stop:
    """Where a bad training is stopped: how far its job came, and why in a word and a sentence."""

    phase: str
    reason: str
    words: str
    has_output: bool = True
    has_archive: bool = True


STOPS = {
    "broken": Stop("Failed", "InvalidHandler", "handler", has_output=False, has_archive=False),
    "diverges": Stop(
        "Failed", "ScriptFailed", "The loss has diverged.", has_output=False, has_archive=False
    ),
    "wavers": Stop(
        "Failed", "PackagingFailed", "does not answer a row the same way", has_archive=False
    ),
    "inaccurate": Stop("Failed", "Rejected", "accuracy is 0.5"),
    "drifts": Stop("Succeeded", "AnalysisFailed", "score"),
}
"""The five ways to be bad, each with the first judge that can know of it."""


def order() -> list[str]:
    """Return the kinds of all trainings in their order, which is always the same."""
    each = max(1, TURNS * 3 // 10 // len(STOPS))
    bad = [kind for kind in STOPS for _ in range(each)]
    rest = [*bad, *["good"] * (TURNS - 1 - len(bad))]
    random.Random(0).shuffle(rest)  # noqa: S311
    return ["good", *rest]


def job(turn: int, kind: str) -> Object:
    """Return a training, as whoever trains again every hour creates it."""
    package = {**PACKAGE, **({"handler": "broken.py"} if kind == "broken" else {})}
    made = training_job(
        f"turn-{turn:02}",
        "loop",
        framework="plain",
        args=[kind, str(turn)],
        restart={"policy": "Never"},
        package=package,
    )
    made["metadata"]["labels"] = {"model": NAME}
    return made


class Loop:
    """The deployment that follows the trainings, and what became of each of them."""

    def __init__(self, space: Space, cluster: Cluster) -> None:
        self.space, self.cluster = space, cluster
        self.promoted = 0
        self.stopped: dict[str, int] = dict.fromkeys(STOPS, 0)

    def begin(self) -> None:
        """Apply all that is ever applied beside the trainings."""
        model = {"name": "model", "trainingJobSelector": {"matchLabels": {"model": NAME}}}
        made = model_deployment(NAME, model, rollout=CANARY)
        made["spec"]["server"]["runtime"] = "Python"
        files = source("loop", main=TRAINING, handler=HANDLER, broken=BROKEN)
        self.space.apply(files, made)

    def train(self, turn: int, kind: str) -> Object:
        """Train, and return the job when it has ended."""
        self.space.apply(job(turn, kind))
        return self.space.wait_for_phase(f"turn-{turn:02}", "Succeeded", "Failed", timeout=TRAIN)

    def take(self, turn: int, kind: str) -> str:
        """Train once, and see it promoted, or stopped by the first that can know; return why."""
        before = stable(self.space.deployment(NAME))
        done = self.train(turn, kind)
        if kind == "good":
            self.promote(turn, done)
            self.promoted += 1
            return "Promoted"
        told = self.stop(done, kind, STOPS[kind])
        assert stable(self.space.deployment(NAME)) == before, self.space.report()
        self.stopped[kind] += 1
        return told

    def promote(self, turn: int, done: Object) -> None:
        """See a good model take over, with its gate and what the canary found in the record."""
        assert done["status"]["phase"] == "Succeeded", self.space.report()
        package = done["status"]["package"]
        assert [gate["verdict"] for gate in self.record(package)["gates"]] == ["Successful"]
        if turn == 1:
            found = self.space.wait_until_ready(NAME)
            assert found["status"]["model"]["sha256"] == package["sha256"]
            return
        entry = self.ended(done)
        assert entry["outcome"] == "Promoted", entry

    def stop(self, done: Object, kind: str, at: Stop) -> str:
        """See a bad model stopped where it should be; return why, as it is told."""
        status = done["status"]
        assert status["phase"] == at.phase, self.space.report()
        assert bool(status.get("output")) == at.has_output, status
        archive = status.get("package") or status.get("rejectedPackage")
        assert bool(archive) == at.has_archive, status
        if kind == "drifts":
            entry = self.ended(done)
            assert entry["outcome"] == "RolledBack", entry
            told = (entry["reason"], entry["message"])
        else:
            failed = condition(done, "Failed")
            assert status["reason"] == failed["reason"]
            told = (failed["reason"], failed["message"])
        assert told[0] == at.reason, told
        assert at.words in told[1], told
        if archive:
            verdict = "Failed" if kind == "inaccurate" else "Successful"
            assert [gate["verdict"] for gate in self.record(archive)["gates"]] == [verdict]
        return f"{at.phase}, {told[0]}: {told[1]}"

    def ended(self, done: Object) -> Object:
        """Return the ended rollout of a job's archive, once there is one."""
        digest = done["status"]["package"]["sha256"]

        def newest(found: Object) -> Object:
            history = rollout(found).get("history") or [{}]
            return dict(history[0])

        found = self.space.wait(
            "modeldeployment", NAME, lambda it: newest(it).get("sha256") == digest, SERVE
        )
        return newest(found)

    def record(self, package: Object) -> Any:
        """Return the record that lies beside an archive."""
        with self.cluster.store() as store:
            return json.loads(store.cat_file(package["lineageUri"].removeprefix("s3://")))

    def answer(self) -> Any:
        """Return what the model says."""
        found = httpx.post(f"{address(self.space, NAME)}/predict", json=ROW, timeout=60)
        return found.json()["turn"]


def test_bad_trainings_are_stopped_by_the_first_that_can_know_and_good_ones_served_by_themselves(
    cluster: Cluster, space: Space
) -> None:
    loop, kinds = Loop(space, cluster), order()
    loop.begin()
    loop.take(1, kinds[0])
    with steady_load(f"{address(space, NAME)}/predict", ROW, RATE, LONGEST) as account:
        wait_for(lambda: account.total > 20, 120, "the load has begun", space.report)
        for turn, kind in enumerate(kinds[1:], start=2):
            begun, known = time.monotonic(), account.total
            why = loop.take(turn, kind)
            taken, asked = time.monotonic() - begun, account.total - known
            print(f"{turn} {kind}: {taken:.0f} s, {asked} requests; {why}", flush=True)
            assert account.lost == {}, (turn, kind, account.lost)
        last = max(turn for turn, kind in enumerate(kinds, start=1) if kind == "good")
        wait_for(lambda: loop.answer() == last, SERVE, f"turn {last} answers", space.report)
    _tell(account, loop)
    assert account.lost == {}, (account.total, space.report())
    bad = len([kind for kind in kinds if kind != "good"])
    assert loop.promoted == TURNS - bad
    assert loop.stopped == dict.fromkeys(STOPS, bad // len(STOPS))
    meta = space.deployment(NAME)["metadata"]
    assert meta["generation"] == 1, "nobody has typed a word"
    assert not [note for note in meta.get("annotations", {}) if "rollout-" in note]


def _tell(account: Account, loop: Loop) -> None:
    print(
        f"{loop.promoted} promoted, stopped: {loop.stopped}; {account.total} requests in "
        f"{account.seconds:.0f} s, lost: {account.lost}",
        flush=True,
    )
