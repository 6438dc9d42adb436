"""Handlers that do what no handler should: the server, and whoever asks next, go on."""

import json
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.conftest import (
    Running,
    Served,
    are_gone,
    eventually,
    running,
    served,
    write_echo,
)

SOCKET = """
import socket, struct
for fd in map(int, os.listdir("/proc/self/fd")):
    try:
        own = socket.socket(fileno=os.dup(fd))
        if own.family == socket.AF_UNIX and own.type == socket.SOCK_STREAM:
            own.sendall({bytes})
    except OSError:
        pass
"""
"""Says something to the front by the worker's own socket."""


def says(text: str) -> dict[str, str]:
    return {"run": SOCKET.format(bytes=text)}


def frame(head: object) -> str:
    text = json.dumps(head).encode()
    return f"struct.pack('>II', {len(text)}, 0) + {text!r}"


HOSTILE: dict[str, Any] = {
    "leaves": {"run": "raise SystemExit(0)"},
    "forks a process that keeps its socket": {
        "run": "if os.fork() == 0:\n  os.setsid(); time.sleep(30)\nos._exit(9)"
    },
    "forks and has both answer": {"run": "os.fork()"},
    "forks many that sleep": {
        "run": "for _ in range(50):\n  if os.fork() == 0: time.sleep(600); os._exit(0)"
    },
    "closes what is not its own": {"run": "os.closerange(3, 200)"},
    "writes to what is not its own": {
        "run": "for fd in range(3, 64):\n  try: os.write(fd, b'\\xff' * 64)\n  except OSError: pass"
    },
    "prints a lot": {"run": "for _ in range(400): print('x' * 65536)"},
    "prints no text": {"run": "for _ in range(400): os.write(1, os.urandom(4096))"},
    "ignores SIGTERM and its end": {"run": "signal.signal(signal.SIGTERM, signal.SIG_IGN)"},
    "eats all its stack": {"run": "f = lambda: f()\nglobals()['f'] = f\nf()"},
    "eats all the memory that it may have": {
        "run": "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "globals()['kept'] = [bytearray(1 << 26) for _ in range(99)]"
    },
    "leaks all its descriptors": {
        "run": "kept = globals().setdefault('files', [])\n"
        "while True:\n  try: kept.append(os.dup(0))\n  except OSError: break"
    },
    "leaves threads that print": {
        "run": "import threading\n"
        "threading.Thread(target=lambda: [print('t') or time.sleep(0.01) for _ in range(99)],"
        " daemon=True).start()"
    },
    "kills what it was forked from": {"run": "os.kill(os.getppid(), signal.SIGKILL)"},
    "gives deep nonsense": {"answer": "[[]] * 3 + [{1: {2: (3,)}}]"},
    "says that a frame of 4 GiB comes": says("b'\\xff' * 8"),
    "answers what nobody asked": says(
        frame({"kind": "answers", "answers": [["nobody", 200, "", []]]})
    ),
    "says a head that is no object": says(frame([1])),
    "says deep JSON": says("struct.pack('>II', 200000, 0) + b'[' * 200000"),
    "says again that it is ready": says(frame({"kind": "ready", "shared": True})),
}
HANGING: dict[str, Any] = {
    "stops itself": {"run": "os.kill(os.getpid(), signal.SIGSTOP)"},
    "holds all signals back": {
        "run": "signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())\ntime.sleep(600)"
    },
}
"""What only the end of a worker's time ends."""
STAYING = [asked for name, asked in HOSTILE.items() if name.split()[0] in ("forks", "ignores")]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    archive = write_echo(tmp_path_factory.mktemp("echo") / "echo.mar")
    with served(archive) as process:
        yield process


@pytest.mark.parametrize("asked", HOSTILE.values(), ids=HOSTILE)
async def test_whatever_a_handler_does_the_next_request_is_answered(
    server: Running, asked: dict[str, Any]
) -> None:
    status, _ = await server.post(asked)
    assert status in (200, 500, 503, 507)
    for number in range(3):
        assert await is_answered(server, {"a": number})


async def is_answered(server: Running, asked: object) -> bool:
    """Ask until a worker that is not ended for an earlier request's deed answers."""
    return 200 in [(await server.post(asked))[0] for _ in range(2)]


@pytest.mark.parametrize("asked", HANGING.values(), ids=HANGING)
async def test_a_handler_that_hangs_is_killed_and_the_next_request_is_answered(
    archive: Path, asked: dict[str, Any]
) -> None:
    async with running(write_echo(archive), "--response-timeout", "2") as server:
        assert (await server.post(asked))[0] == 500
        await eventually(partial(is_answered, server, {}))


@pytest.mark.parametrize("mebibytes", [256, pytest.param(4096, marks=pytest.mark.long)])
async def test_what_a_handler_prints_is_copied_and_costs_no_memory(
    archive: Path, mebibytes: int
) -> None:
    async with running(write_echo(archive)) as server:
        before = peak(server)
        asked = {"run": f"for _ in range({mebibytes}): os.write(1, b'x' * (1 << 20))"}
        assert (await server.post(asked))[0] == 200
        await eventually(lambda: archive.with_suffix(".log").stat().st_size >= mebibytes << 20)
        assert peak(server) - before < 32 << 20
        archive.with_suffix(".log").unlink()


def opened(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def peak(server: Running) -> int:
    """Return the most memory that the front has had, in bytes."""
    status = Path(f"/proc/{server.served.process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


async def test_a_worker_that_no_descriptor_is_left_for_is_made_once_there_is(
    archive: Path,
) -> None:
    async with running(write_echo(archive)) as server:
        pid = server.served.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened(pid), limits[1]))
        assert (await server.post({"kill": 1}))[0] == 500
        await eventually(lambda: "Too many open files" in server.log)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        await server.wait_until_ready()
        assert (await server.post({}))[0] == 200


async def test_nothing_that_handlers_have_started_outlives_the_server(archive: Path) -> None:
    async with running(write_echo(archive)) as server:
        for asked in STAYING:
            await server.post(asked)
        left = server.workers()
        assert await server.stop() == 0
        await eventually(lambda: are_gone(left))
