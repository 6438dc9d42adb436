"""The process that workers are forked from: it has imported torch once, and never runs a handler.

`python -m slipway_server.zygote FD PARENT`, where FD is one end of a socket pair (see
`slipway_server.forking`), and PARENT the process ID of the front.
"""

import contextlib
import ctypes
import gc
import importlib
import logging
import signal
import socket
import sys

from slipway_server import worker
from slipway_server.forking import Forks, die_with

_PRELOADED = ("torch", "ts.torch_handler.base_handler")


def preload() -> None:
    """Import what nearly every handler imports, where it is there."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _settle() -> None:
    """Have workers write to as little as may be of the memory that they share with this process.

    A collection writes to every object that it looks at, and so copies its page.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # malloc_trim(3) is of the GNU C library
        ctypes.CDLL(None).malloc_trim(0)


def main(descriptor: int, parent: int) -> None:
    """Fork workers for as long as the front lives."""
    die_with(parent)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    preload()
    _settle()
    Forks(control, worker.serve).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
