"""One local cluster a machine: addresses, the image store and the packet filter are its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import paths
from dev.cluster import daemon, layout
from dev.errors import DevError
from dev.shell import locked, write


@contextmanager
def alone() -> Iterator[None]:
    """Hold the right to change this machine's cluster; refuse if another clone's runs."""
    if os.geteuid():
        raise DevError("The local cluster needs root: it makes namespaces, mounts and routes.")
    with locked(paths.cache() / "cluster.lock", "another command that changes the local cluster"):
        _refuse_another_clones()
        yield


def claim() -> None:
    """Note that the machine's cluster is this clone's from now on."""
    write(_owner_file(), str(layout.STATE))


def owned() -> bool:
    """Whether what there is of a cluster on this machine is this clone's."""
    return _owner_file().exists() and _owner_file().read_text() == str(layout.STATE)


def give_up() -> None:
    """Note that this clone has no cluster any more."""
    if owned():
        _owner_file().unlink()


def abandoned() -> Path | None:
    """Return the state folder of another clone's cluster that runs no more but was never ended."""
    state = _owner()
    return state if state != layout.STATE and not daemon.all_recorded(state) else None


def _owner() -> Path:
    """Return the state folder of the clone that owns the cluster; this one's if none does."""
    note = _owner_file()
    return Path(note.read_text()) if note.exists() else layout.STATE


def _owner_file() -> Path:
    return paths.cache() / "cluster-owner"


def _refuse_another_clones() -> None:
    state = _owner()
    if state != layout.STATE and daemon.all_recorded(state):
        raise DevError(f"The cluster of {state.parent} runs: run `make down` there first.")
