"""What namespaces say by their labels."""

import asyncio
import tracemalloc
from typing import Any

from slipway.controller.namespaces import NamespaceLabels
from slipway.kube.errors import Rejected
from slipway.plan import Manifest, ObjectRef
from slipway.pods.standard import ENFORCE
from slipway.settings import VERIFICATION


class Server:
    """Gives out one namespace, and counts how often."""

    def __init__(self, labels: dict[str, str] | None) -> None:
        self.labels = labels
        self.asked = 0

    async def get(self, ref: ObjectRef) -> Manifest | None:
        assert (ref.kind, ref.name) == ("Namespace", "team")
        self.asked += 1
        if self.labels is None:
            raise Rejected("forbidden", 403)
        return {"metadata": {"labels": self.labels}}


def test_labels_are_read_once_in_a_while() -> None:
    now, server = [0.0], Server({VERIFICATION: "Required"})
    labels = NamespaceLabels(server, clock=lambda: now[0])

    async def value() -> Any:
        return await labels.value("team", VERIFICATION)

    assert [asyncio.run(value()) for _ in range(3)] == ["Required"] * 3
    assert asyncio.run(labels.value("team", ENFORCE)) is None
    assert server.asked == 1
    server.labels, now[0] = {}, 31.0
    assert asyncio.run(value()) is None


def test_labels_that_are_forgotten_while_they_are_looked_up_are_read_anew() -> None:
    ticks = iter(range(0, 1000, 10))
    server = Server({VERIFICATION: "Required"})
    labels = NamespaceLabels(server, clock=lambda: float(next(ticks)))
    for _ in range(5):
        assert asyncio.run(labels.value("team", VERIFICATION)) == "Required"
    assert server.asked > 1


def test_of_ten_thousand_labels_those_that_are_asked_for_are_kept() -> None:
    others = {f"example.com/{number}": "x" * 63 for number in range(10_000)}
    asked = {VERIFICATION: "Required", ENFORCE: "baseline"}
    labels = NamespaceLabels(Server({**others, **asked}))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    assert [asyncio.run(labels.value("team", label)) for label in asked] == ["Required", "baseline"]
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept < 100_000, "10,000 labels would take a megabyte"


def test_a_namespace_that_may_not_be_read_says_nothing() -> None:
    labels = NamespaceLabels(Server(None))
    assert asyncio.run(labels.value("team", VERIFICATION)) is None
