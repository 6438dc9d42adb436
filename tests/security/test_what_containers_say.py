"""Hostile last words of a model's server, which the operator puts into an object's status."""

import json

import pytest

from slipway.observed.pods import PodView
from slipway.serving import reasons
from slipway.serving.observed.start_problems import last_lines
from tests.unit.serving.world import World, main_status, terminated

SECRET = "hunter2"
PRESIGNED = f"https://bucket.example/a.mar?X-Amz-Signature={SECRET}"
WORDS: dict[str, str] = {
    "lists without end": "[" * 4096,
    "objects without end": '{"message":' * 370,
    "half of a character": json.dumps({"message": "\ud800", "logTail": "\udfff"}),
    "half of a character in a log": json.dumps({"message": "\ud800"}) + "\n{}",
    "a number of 4,000 digits": "1" * 4000,
    "no texts": json.dumps({"reason": {}, "message": [1], "logTail": {"a": 1}}),
    "control characters": "\x1b[2J\x00\x07",
    "a password": f"cannot open https://me:{SECRET}@host.example/a",
    "a signature": f"cannot open {PRESIGNED}",
    "a signature in a log": json.dumps({"message": f"cannot open {PRESIGNED}"}),
    "a signature where a log is cut": json.dumps({"message": f"{PRESIGNED} {'x' * 1950}"}),
}


@pytest.mark.parametrize("what", WORDS)
def test_a_servers_last_word_neither_stops_the_operator_nor_shows_a_secret(what: str) -> None:
    world = World()
    world.reconcile()
    end = terminated(1, WORDS[what])
    world.add_pod(**main_status("torchserve", lastState=end, restartCount=3))
    world.pods_are(updated=1, available=0)
    world.reconcile()
    assert world.condition(reasons.MODEL_READY).status == "False"
    written = json.dumps(world.status, ensure_ascii=False).encode()
    assert SECRET.encode() not in written
    assert len(written) < 20_000


@pytest.mark.parametrize("what", WORDS)
def test_the_lines_that_outlive_a_candidates_pods_show_no_secret(what: str) -> None:
    ended = main_status("torchserve", lastState=terminated(1, WORDS[what]))
    said = last_lines((PodView({"metadata": {"name": "web-1"}, "status": ended}),))
    assert said.startswith("The server ended: Error, exit code 1")
    assert SECRET.encode() not in said.encode()
    assert len(said) < 2100
