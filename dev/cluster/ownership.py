"""One local cluster a machine: addresses, the image store and the packet filter are its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import paths
from dev.cluster import daemon, layout
from dev.errors import DevError
from dev.shell import locked, write


def _owner_file() -> Path:
    return paths.cache() / "cluster-owner"


@contextmanager
def alone() -> Iterator[None]:
    """Hold the right to change this machine's cluster; refuse if another clone's runs."""
    if os.geteuid():
        raise DevError("The local cluster needs root: it makes namespaces, mounts and routes.")
    with locked(paths.cache() / "cluster.lock", "another command that changes the local cluster"):
        _refuse_another_clones()
        write(_owner_file(), str(layout.STATE))
        yield


def _refuse_another_clones() -> None:
    owner = _owner_file()
    state = Path(owner.read_text()) if owner.exists() else layout.STATE
    if state != layout.STATE and daemon.all_recorded(state):
        raise DevError(f"The cluster of {state.parent} runs: run `make down` there first.")
