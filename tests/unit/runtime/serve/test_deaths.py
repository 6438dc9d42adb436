"""Workers that die in real processes, and what the page tells of them."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from threading import Event, Thread

import pytest

from slipway_pods.serve import deaths
from slipway_pods.serve.worker import last_words
from tests.harness.ports import free_ports
from tests.harness.waiting import wait_for

WORKER = """
import os, sys, time
from pathlib import Path
from slipway_pods.serve.worker import last_words
last_words.install(Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.readline()
{end}
"""
ENDS = {
    "os._exit(3)": "exit 3",
    "sys.exit(1)": "exit",
    "raise RuntimeError": "exit",
    "import ctypes; ctypes.string_at(0)": "SIGSEGV",
    "os.abort()": "SIGABRT",
    "os.kill(os.getpid(), 9)": "SIGKILL",
}


def begin(folder: Path, end: str) -> "subprocess.Popen[bytes]":
    """Start a worker that ends in a way once it reads a line; it is up when this returns."""
    script = folder / "model_service_worker.py"
    script.write_text(WORKER.format(end=end))
    pipe = subprocess.PIPE
    worker = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert worker.stdout
    assert worker.stdout.readline() == b"up\n"
    return worker


@pytest.mark.parametrize("end", ENDS)
def test_a_worker_says_how_it_ends(tmp_path: Path, end: str) -> None:
    worker = begin(tmp_path, end)
    assert worker.pid in deaths.workers()
    worker.communicate(b"\n", timeout=120)
    note = last_words.read(tmp_path, worker.pid)
    assert deaths.cause_of(note, "", oom=False) == ENDS[end]
    assert not last_words.note_path(tmp_path, worker.pid).exists()


def test_a_child_of_a_worker_says_nothing_for_it(tmp_path: Path) -> None:
    worker = begin(tmp_path, "os.fork() or os._exit(7); os.wait(); os.kill(os.getpid(), 9)")
    worker.communicate(b"\n", timeout=120)
    assert last_words.read(tmp_path, worker.pid) == ""


@pytest.mark.parametrize(
    "note", ["exit 3; rm", "Fatal Python error: \x1b[2J", "SIGKILL", "x" * 9999]
)
def test_a_note_that_is_none_is_not_passed_on(tmp_path: Path, note: str) -> None:
    last_words.note_path(tmp_path, 7).write_text(note)
    assert last_words.read(tmp_path, 7) == ""


def test_a_kill_is_blamed_on_memory_or_on_a_late_answer_where_these_are_known() -> None:
    late = "Number or consecutive unsuccessful inference 1\n"
    assert deaths.cause_of("", late, oom=False) == "Timeout"
    assert deaths.cause_of("", late, oom=True) == "OOMKilled"
    assert deaths.cause_of("exit 3", "", oom=True) == "exit 3"


def test_the_page_tells_of_a_worker_that_died_while_others_go_on(tmp_path: Path) -> None:
    dying, staying = begin(tmp_path, "os._exit(3)"), begin(tmp_path, "pass")
    told, looked, over, (port,) = deaths.Deaths(), Event(), Event(), free_ports(1)
    ready = Event()
    logs = {dying.pid: "loading\x1b[0m\nKeyError: 'label'\n"}

    def goes_on() -> bool:
        return not over.is_set()

    def alive() -> set[int]:
        mine = deaths.workers() & {dying.pid, staying.pid}
        looked.set()
        return mine

    def follow() -> None:
        deaths.follow(told, tmp_path, logs.__getitem__, goes_on, ready.is_set, alive)

    deaths.serve(told, port)
    thread = Thread(target=follow)
    thread.start()
    try:
        before = page(port)
        assert looked.wait(120)
        dying.communicate(b"\n", timeout=120)
        wait_for(lambda: page(port)["log"] == "loading\nKeyError: 'label'", 120, "it is told")
        assert (before["deaths"], page(port)["cause"]) == (0, "exit 3")
        assert page(port)["seconds"] is None, "nobody is in its place"
        ready.set()
        wait_for(lambda: page(port)["seconds"], 120, "all workers are there again")
    finally:
        over.set()
        thread.join()
        os.kill(staying.pid, signal.SIGKILL)
        staying.communicate()


def page(port: int) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return dict(json.load(answer))
