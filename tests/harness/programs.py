"""Programs that a test runs beside a cluster, and that must not end by themselves meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dev.cluster import daemon
from dev.cluster.daemon import Daemon
from tests.harness.waiting import wait_for

T = TypeVar("T")


@contextmanager
def running(program: Daemon, grace: float = 0) -> Iterator[Daemon]:
    """Run a program until the block ends; it then has ``grace`` seconds to end.

    Raises DevError with the end of its log where it has ended before.
    """
    program.start()
    try:
        yield program
        program.check()
    finally:
        daemon.end(filter(None, [program.process]), grace)


def wait_for_program(
    program: Daemon, probe: Callable[[], T | None], timeout: float, describe: str
) -> T:
    """Return the first true value of ``probe``, as long as a program runs; see `wait_for`."""

    def probe_alive() -> T | None:
        program.check()
        return probe()

    return wait_for(probe_alive, timeout, describe, program.log.read_text)
