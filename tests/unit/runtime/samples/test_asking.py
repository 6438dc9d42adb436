"""What a pod makes of rows that are not answered: only another answer, or an error, is final."""

import os
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from slipway_pods.serve import startup
from slipway_pods.serve.samples import starting, stored
from slipway_pods.serve.samples.asking import Asked
from slipway_pods.serve.samples.rows import Sample
from tests.harness.ports import free_port

SHORT, LONG = 0.3, 120.0
"""Seconds that an answer may take where none comes, and all together where one does."""
ENOUGH = 3.0
"""Seconds that an answer may take where some come and some do not."""


class Server:
    """Answers each row with its own body; those in ``hangs`` not at all, so many times."""

    def __init__(self, hangs: dict[bytes, int], status: int = 200) -> None:
        self.hangs, self.status = hangs, status
        self.asked: list[bytes] = []
        self.closing = threading.Event()
        lock = threading.Lock()
        scene = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    scene.asked.append(body)
                    hangs = scene.hangs.get(body, 0) > 0
                    scene.hangs[body] = scene.hangs.get(body, 0) - 1
                if hangs:
                    scene.closing.wait(LONG)
                    return
                self.send_response(scene.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/predictions/net"


@contextmanager
def serving(hangs: dict[bytes, int] | None = None, status: int = 200) -> Iterator[Server]:
    server = Server(hangs or {}, status)
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def archive(folder: Path, *answers: float) -> Path:
    """Write an archive whose rows 1, 2 and so on were answered like this."""
    path = folder / "net.mar"
    samples = [Sample(str(number).encode()) for number in range(1, len(answers) + 1)]
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(stored.ENTRY, stored.entry(samples, answers, 0.0))
    return path


def asked(url: str, seconds: float, whole: float) -> Asked:
    return Asked(url, seconds, time.monotonic() + whole)


def nowhere() -> str:
    """Return where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_a_row_without_an_answer_in_time_is_asked_again_until_it_has_one(tmp_path: Path) -> None:
    with serving({b"3": 2}) as server:
        found = starting.problem(archive(tmp_path, 1, 2, 3), asked(server.url, ENOUGH, LONG))
    assert found is None
    assert sorted(server.asked) == [b"1", b"2", b"3", b"3", b"3"], "the others are asked once"


def test_another_answer_is_final_though_a_row_before_it_has_none(tmp_path: Path) -> None:
    with serving({b"1": 1000}) as server:
        found = starting.problem(archive(tmp_path, 1, 7), asked(server.url, SHORT, LONG))
    assert found is not None
    assert not found.unanswered
    assert found.message.startswith("Row 2 is not answered as when the archive was made")


def test_an_http_error_is_final_at_once(tmp_path: Path) -> None:
    with serving(status=503) as server:
        found = starting.problem(archive(tmp_path, 1), asked(server.url, LONG, LONG))
    assert found is not None
    assert not found.unanswered
    assert server.asked == [b"1"]


def test_a_row_that_is_too_long_for_the_server_says_what_to_raise(tmp_path: Path) -> None:
    with serving(status=413) as server:
        found = starting.problem(archive(tmp_path, 1), asked(server.url, LONG, LONG))
    assert found is not None
    assert found.message.endswith("Raise spec.server.maxRequestBytes.")


def test_a_server_that_answers_nothing_until_the_startup_timeout_is_not_told_to_differ(
    tmp_path: Path,
) -> None:
    with serving({b"1": 1000}) as server:
        found = starting.problem(archive(tmp_path, 1), asked(server.url, SHORT, 3 * SHORT))
        assert set(server.asked) == {b"1"}
    assert found is not None
    assert found.unanswered
    assert "spec.server.startupTimeoutSeconds" in found.message


def test_rows_are_not_asked_for_any_longer_once_the_server_has_ended(tmp_path: Path) -> None:
    where = asked(nowhere(), SHORT, LONG)
    found = starting.problem(archive(tmp_path, 1), where, lambda: False)
    assert found is not None
    assert found.unanswered
    assert time.monotonic() < where.deadline - LONG / 2


def test_a_pod_that_gives_no_answer_in_time_starts_again_like_any_that_is_slow(
    tmp_path: Path,
) -> None:
    env = {
        "SLIPWAY_MODEL": "net",
        "SLIPWAY_ARCHIVE": str(archive(tmp_path, 1)),
        "SLIPWAY_INFERENCE": nowhere(),
        "LOG_LOCATION": str(tmp_path),
    }
    settings = startup.Settings.from_environment(env)
    failure = startup.pass_samples(settings, time.monotonic() + SHORT, os.getppid())
    assert failure is not None
    assert failure.reason == "ModelLoadFailed", "which is no reason to roll back at once"
