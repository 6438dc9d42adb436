"""Workers that end, hang, cannot load, or share the model."""

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.harness.quickness import quick
from tests.unit.server.conftest import (
    Running,
    Served,
    are_gone,
    eventually,
    running,
    served,
    write_archive,
    write_echo,
)

NEXT_ANSWER_SECONDS = 1.0
SHARED = """
import os, threading

BLOCK = bytearray(96 << 20)
with open({log!r}, "a") as file:
    file.write("loaded\\n")
{more}


def handle(data, context):
    return None if data is None else [{{"pid": os.getpid()}}] * len(data)
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    archive = write_echo(tmp_path_factory.mktemp("echo") / "echo.mar")
    with served(archive) as process:
        yield process


@pytest.mark.parametrize("death", [{"exit": 3}, {"exit": 0}, {"kill": 1}])
async def test_a_worker_that_ends_costs_its_batch_and_is_made_again(
    server: Running, death: dict[str, int]
) -> None:
    async def next_answer() -> float:
        """Return how long the answer takes that follows a death."""
        await server.post({})
        before = await server.deaths()
        status, text = await server.post(death)
        assert (status, json.loads(text)["message"]) == (500, "Worker died.")
        begun = time.monotonic()
        assert (await server.post({"a": 1}))[0] == 200
        took = time.monotonic() - begun
        assert await server.deaths() == before + 1
        told = await server.told_deaths()
        assert told["deaths"] == before + 1
        assert 0 < told["seconds"] < 600, "for so long its place was empty"
        assert told["cause"] == ("SIGKILL" if "kill" in death else f"exit {death['exit']}")
        return took

    await quick(next_answer, NEXT_ANSWER_SECONDS)


async def test_the_batch_of_a_killed_worker_is_told_within_a_tenth_of_a_second(
    server: Running, tmp_path: Path
) -> None:
    turns = itertools.count()

    async def told() -> float:
        """Return how long it takes to tell of a death."""
        pid = json.loads((await server.post({}))[1])["pid"]
        begin = tmp_path / str(next(turns))
        asked = asyncio.create_task(server.post({"begin": str(begin), "sleep": 600}))
        await eventually(begin.exists)
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert (await asked)[0] == 500
        return time.monotonic() - begun

    await quick(told, 0.1)


async def test_the_batch_that_a_dead_worker_had_not_begun_is_answered_by_the_next(
    server: Running, tmp_path: Path
) -> None:
    begin, gate = tmp_path / "begin", tmp_path / "gate"
    asked = {"begin": str(begin), "gate": str(gate), "kill": 1}
    slow = asyncio.create_task(server.post(asked))
    await eventually(begin.exists)
    before = await server.batches()
    others = [asyncio.create_task(server.post({"a": number})) for number in range(5)]
    await eventually(lambda: server.given(before + 1))
    gate.touch()
    assert (await slow)[0] == 500
    assert {(await other)[0] for other in others} == {200}


async def test_a_worker_that_hangs_is_ended_when_its_time_is_over(archive: Path) -> None:
    async with running(write_echo(archive), "--response-timeout", "1") as server:
        assert (await server.post({"sleep": 600}))[0] == 500

        async def is_told() -> bool:
            return bool((await server.told_deaths())["cause"] == "Timeout")

        await eventually(is_told)

        async def is_answered() -> bool:
            return (await server.post({}))[0] == 200

        await eventually(is_answered)  # in a second, which a busy machine may not have


async def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_traceback(
    archive: Path,
) -> None:
    write_archive(archive, {"handler.py": "print('loading')\nraise ImportError('no such thing')"})
    async with running(archive, ready=False) as server:
        assert await server.end() == 1
        assert server.log.count("loading\n") == 5
        assert server.log.rstrip().endswith("ImportError: no such thing")


async def test_a_worker_that_ends_while_it_loads_is_told_with_what_it_printed(
    archive: Path,
) -> None:
    text = "import os\nprint('out of luck', flush=True)\nos._exit(7)"
    write_archive(archive, {"handler.py": text})
    async with running(archive, ready=False) as server:
        assert await server.end() == 1
        assert "It ended with exit code 7." in server.log
        assert server.log.rstrip().endswith("out of luck")


async def test_a_model_that_does_not_load_in_its_time_ends_the_server_with_a_word(
    archive: Path,
) -> None:
    write_archive(archive, {"handler.py": "import time\ntime.sleep(600)"})
    async with running(archive, "--startup-timeout=1", ready=False) as server:
        assert await server.end() == 1
        assert server.log.rstrip().endswith("It did not load within 1 s.")


async def test_a_worker_killed_by_a_signal_is_told_with_its_name(server: Running) -> None:
    _, text = await server.post({})
    os.kill(json.loads(text)["pid"], signal.SIGSEGV)
    await eventually(lambda: "Segmentation fault" in server.log)


async def ask_steadily(server: Running, count: int, rate: float) -> list[int]:
    """Ask so many times at so many a second, whatever becomes of the answers; return statuses."""
    begun = time.monotonic()
    asked = []
    for number in range(count):
        await asyncio.sleep(begun + number / rate - time.monotonic())
        asked.append(asyncio.create_task(server.post({"a": number})))
    return [(await one)[0] for one in asked]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
async def test_killed_workers_cost_only_what_they_had_begun(archive: Path, count: int) -> None:
    async with running(write_echo(archive), "--workers=2", "--queue-size=10000") as server:
        asking = asyncio.create_task(ask_steadily(server, count, 100))
        kills = 0
        while not asking.done():
            os.kill(sorted(await workers_of(server))[kills % 2], signal.SIGKILL)
            kills += 1
            await eventually(partial(has_lost, server, kills))
            await server.wait_until_ready()
            await asyncio.wait({asking}, timeout=1)
        answers = await asking
        assert set(answers) <= {200, 500}
        assert answers.count(500) <= kills


async def has_lost(server: Running, count: int) -> bool:
    """Tell whether so many workers have ended."""
    return await server.deaths() == count


async def workers_of(server: Running) -> set[int]:
    """Return the process IDs of the workers, which answer in turn."""
    async with server.session.get(server.url("/models/echo", 1)) as told:
        return {worker["pid"] for worker in (await told.json())[0]["workers"]}


def shared(archive: Path, log: Path, more: str = "") -> Path:
    return write_archive(archive, {"handler.py": SHARED.format(log=str(log), more=more)})


def private_bytes(pid: int) -> int:
    """Return the memory that a process has for itself alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


async def test_the_model_is_loaded_once_for_all_workers(archive: Path, tmp_path: Path) -> None:
    async with running(shared(archive, tmp_path / "log"), "--workers", "4") as server:
        workers = await workers_of(server)
        assert len(workers) == 4
        assert (tmp_path / "log").read_text() == "loaded\n"
        assert max(map(private_bytes, workers)) < 48 << 20
        os.kill(min(workers), signal.SIGKILL)
        await eventually(server.has_died)
        await server.wait_until_ready()
        assert (tmp_path / "log").read_text() == "loaded\n"


async def test_a_process_that_has_loaded_the_model_and_ends_is_made_again(
    archive: Path, tmp_path: Path
) -> None:
    async with running(shared(archive, tmp_path / "log"), "--workers", "2") as server:
        workers = await workers_of(server)
        [loaded] = {parent(pid) for pid in workers}
        os.kill(loaded, signal.SIGKILL)
        await eventually(lambda: are_gone([*workers, loaded]))
        await server.wait_until_ready()
        assert (await server.post({}))[0] == 200
        assert (tmp_path / "log").read_text() == "loaded\n" * 2


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "threads"),
        ("import socket; KEPT = socket.socketpair()", "open"),
        ("import subprocess; KEPT = subprocess.Popen(['sleep', '600'])", "processes"),
    ],
)
async def test_a_model_that_a_fork_would_break_is_loaded_by_each_worker(
    archive: Path, tmp_path: Path, more: str, why: str
) -> None:
    async with running(shared(archive, tmp_path / "log", more), "--workers", "2") as server:
        assert (await server.post({}))[0] == 200
        assert (tmp_path / "log").read_text() == "loaded\n" * 2
        assert "Each worker loads the model for itself: loading it has" in server.log
        assert why in server.log
