"""The process that workers are forked from: it has imported torch once, and never runs a handler.

`python -m slipway_server.zygote FD`, where FD is one end of a socket pair. Each byte of the front's
asks for a worker, and carries two descriptors: the worker's socket, whose first frame tells it what
to serve, and the pipe for what it prints. Each answer is a line, `PID` for a worker that was made,
or `PID STATUS` for one that ended, STATUS as `os.waitpid` has it. It ends when the front does.
"""

import contextlib
import importlib
import logging
import os
import selectors
import signal
import socket
import sys

from slipway_server import worker

_PRELOADED = ("torch", "ts.torch_handler.base_handler")


def preload() -> None:
    """Import what nearly every handler imports, where it is there."""
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        control.sendall(f"{pid} {status}\n".encode())


def _fork(control: socket.socket) -> bool:
    """Make the worker of the next message; return False where the front is gone."""
    message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
    if not message:
        return False
    pid = os.fork()
    if pid == 0:
        _become(control, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    control.sendall(f"{pid}\n".encode())
    return True


def _become(control: socket.socket, sock: int, output: int) -> None:
    """Be a worker, and never come back."""
    code = 1
    try:
        control.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        code = worker.serve(socket.socket(fileno=sock))
        sys.stdout.flush()
    finally:
        os._exit(code)


def main(descriptor: int) -> None:
    """Fork workers for as long as the front lives."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    preload()
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    if not _fork(control):
                        return
                else:
                    os.read(woken, 4096)
            _reap(control)


if __name__ == "__main__":
    main(int(sys.argv[1]))
