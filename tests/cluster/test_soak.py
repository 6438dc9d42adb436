"""A steady load through everything that moves pods and traffic: no request may be lost.

Two clients ask at once: one keeps its connections, one opens another for each request. A tenth of
the requests is sent by default; ``make soak`` sends all.
"""

import os
import signal
import subprocess
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from tests.cluster import toy
from tests.cluster.attack import Answers, attacking
from tests.cluster.moves import NAME, PODS, ROLLING, WAITING, Served, promote, roll, scale
from tests.cluster.rollouts import candidate, request
from tests.cluster.support import SERVE, Space, processes_of
from tests.harness import Cluster
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

REQUESTS = int(os.environ.get("SLIPWAY_SOAK_REQUESTS", "10000"))
RATE = int(os.environ.get("SLIPWAY_SOAK_RATE", "60"))
"""Requests a second, of both clients together."""


@dataclass(frozen=True)
class Phase:
    """One move, from its beginning to its end in seconds since 1970.

    What is sent until ``borne`` may be lost.
    """

    name: str
    begin: float
    end: float
    borne: float

    def requests(self, answers: Answers) -> int:
        """Return how many requests were sent meanwhile; their moments are in order."""
        first, last = (bisect_left(answers.moments, moment) for moment in (self.begin, self.end))
        return last - first

    def lost(self, answers: Answers) -> Counter[str]:
        """Return how those requests ended that were sent meanwhile and lost."""
        return Counter(how for when, how in answers.losses if self.begin <= when < self.end)

    def bears(self, moment: float) -> bool:
        """Tell whether a request that was sent at a moment may be lost."""
        return self.begin <= moment < self.borne


@pytest.fixture(scope="module")
def served(shared: Space, cluster: Cluster) -> Served:
    found = Served(shared, toy.put(cluster))
    found.apply(ROLLING, ANSWER="first")
    shared.wait_until_ready(NAME)
    return found


def roll_back(served: Served, turn: int) -> None:
    """A canary that goes back, with requests on it."""
    served.apply(WAITING, ANSWER=f"aborted {turn}")
    served.space.wait("mdep", NAME, lambda it: candidate(it).get("weight") == 20, SERVE)
    url, body = served.target.url, served.target.body
    wait_for(
        lambda: httpx.post(url, json=body, timeout=60).text == f"aborted {turn}",
        180,
        "the canary answers",
        served.space.report,
    )
    request(served.space, NAME, "abort", candidate(served.state())["revision"])
    served.space.wait("mdep", NAME, lambda it: not candidate(it), SERVE)
    served.apply(WAITING, ANSWER=f"promoted {turn}")
    served.wait_until_settled(1)


def drain(served: Served, turn: int) -> None:
    """The node of both pods is drained: `kubectl drain` cordons it and evicts one after the other.

    The budget lets the second go only once the first has a successor that serves. With more nodes
    that one comes up on another; the local cluster has one, which is opened again as soon as the
    first pod was evicted.
    """
    kubectl = served.space.kubectl
    served.apply(WAITING, 2, ANSWER=f"promoted {turn}")
    served.wait_until_settled(2)
    old = {pod["metadata"]["uid"] for pod in served.pods()}
    node = served.pods()[0]["spec"]["nodeName"]
    flags = (f"--pod-selector={PODS}", "--ignore-daemonsets", "--delete-emptydir-data")
    with ThreadPoolExecutor() as pool:
        drained = pool.submit(kubectl.run, "drain", node, *flags, "--timeout=400s", timeout=420)
        try:
            wait_for(
                lambda: drained.done() or len(served.pods()) != 2 or _new(served, old),
                SERVE,
                "a pod was evicted",
                served.space.report,
            )
        finally:
            kubectl.run("uncordon", node)
        drained.result()
    served.wait_until_settled(2)
    assert not old & {pod["metadata"]["uid"] for pod in served.pods()}


def _new(served: Served, old: set[str]) -> bool:
    return bool({pod["metadata"]["uid"] for pod in served.pods()} - old)


def kill(served: Served, turn: int) -> float:
    """One of two pods is killed: all its processes at once, and only then is Kubernetes told.

    Lost is what it was answering, and what comes to its address until the Service leads there no
    more. Returns when that was, in seconds since 1970.
    """
    del turn
    pod = served.pods()[0]
    for process in processes_of(pod):
        os.kill(process, signal.SIGKILL)
    flags = ("--grace-period=0", "--force", "--wait=false")
    served.space.kubectl.run("delete", "pod", pod["metadata"]["name"], *flags)
    end = f"{pod['status']['podIP']}:8000"
    wait_for(lambda: end not in _rules(), 180, f"no Service leads to {end}", served.space.report)
    moment = time.time()
    served.wait_until_settled(2)
    return moment


def _rules() -> str:
    """Return the packet filter's rules, by which this machine reaches Services."""
    return subprocess.run(
        ["iptables-save", "-t", "nat"], capture_output=True, text=True, check=True
    ).stdout


Move = Callable[[Served, int], float | None]
MOVES: tuple[Move, ...] = (roll, promote, roll_back, scale, drain, kill)


def moved(served: Served, seconds: float) -> list[Phase]:
    """Make all moves in turn, and again until so much time is over; returns when they were."""
    start, phases = time.monotonic(), list[Phase]()
    while time.monotonic() - start < seconds:
        turn = len(phases) // len(MOVES)
        for move in MOVES:
            begin = time.time()
            borne = move(served, turn)
            phases.append(Phase(f"{move.__name__} {turn}", begin, time.time(), borne or begin))
    return phases


def account(phases: list[Phase], answers: Answers) -> None:
    """Print what was sent and lost in each phase."""
    for phase in phases:
        seconds, lost = phase.end - phase.begin, dict(phase.lost(answers))
        print(f"{phase.name}: {phase.requests(answers)} requests in {seconds:.0f} s, lost {lost}")
    whole = phases[-1].end - phases[0].begin
    print(f"{answers.total} requests in {whole:.0f} s, lost {answers.lost}")


def test_no_request_is_lost_whatever_moves(served: Served) -> None:
    once = "-keepalive=false"
    kept, opened = attacking(served.target, RATE / 2), attacking(served.target, RATE / 2, once)
    with kept as answers, opened as others:
        phases = moved(served, REQUESTS / RATE)
    answers.add(others)
    answers.moments.sort()
    account(phases, answers)
    unborne = [loss for loss in answers.losses if not any(phase.bears(loss[0]) for phase in phases)]
    assert unborne == [], served.space.report()
    assert answers.total >= REQUESTS
