"""Saying how the cluster is."""

from dev.cluster import layout
from dev.cluster.parts import daemons


def status() -> None:
    """Print every process of the cluster and whether it runs."""
    for daemon in daemons(layout.control_plane()):
        process = daemon.process
        print(f"{daemon.name:24} {f'pid {process.pid}' if process else 'not running'}")
