"""The end of a script's process groups, with a torch that only notes what is destroyed."""

import sys
import threading
from types import SimpleNamespace

import pytest

from slipway_runtime.reporting import leaving


@pytest.fixture
def destroyed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups that were destroyed, of the two that the script has."""
    gone: list[str] = []
    distributed = SimpleNamespace(destroy_process_group=gone.append)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(distributed=distributed))
    monkeypatch.setitem(sys.modules, "torch.distributed", distributed)
    monkeypatch.setattr(leaving, "_groups", ["world", "checkpoints"])
    return gone


def test_groups_are_left_in_the_reverse_order_of_their_making(destroyed: list[str]) -> None:
    leaving._leave()
    assert destroyed == ["checkpoints", "world"]


def test_a_python_that_starts_no_thread_any_more_leaves_them_itself(
    destroyed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    leaving._leave()
    assert destroyed == ["checkpoints", "world"]
