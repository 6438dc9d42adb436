"""``python -m tests.bench.transfer``: uploads and fetches beside those of the release before.

An output is uploaded by the agent's program and fetched as an input, by the programs of the release
before, by today's, and by today's over TLS. They take turns against one server. Ends with 1 if
today's take more than 1.05 times as long, in the median over pairs of turns.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import gotools, paths
from tests.bench.price import Spread
from tests.harness.certificates import Authority
from tests.harness.s3 import S3Server

MOST_RATIO = 1.05
BEFORE = paths.REPOSITORY / "tests" / "releases" / "before.tar.xz"
"""The sources of the release before."""
LARGE_SHARE = 0.8
"""Share of the bytes that lie in one file; the others lie in files of `SMALL_BYTES`."""
SMALL_BYTES = 1_000_000
BLOCK = 16 << 20


@dataclass(frozen=True)
class Programs:
    """One release's programs: how Python is started for them, their modules and variables."""

    name: str
    python: tuple[str, ...]
    upload: str
    fetch: str
    env: Mapping[str, str]

    def run(self, module: str, *arguments: str, **more: str) -> "Cost":
        """Run a program to its end; return what it cost."""
        env = {**os.environ, "SLIPWAY_TERMINATION_LOG": os.devnull, **self.env, **more}
        begin, used = time.monotonic(), _processor_seconds()
        done = subprocess.run(
            [*self.python, module, *arguments], env=env, capture_output=True, check=False
        )
        cost = Cost(time.monotonic() - begin, _processor_seconds() - used)
        if done.returncode:
            raise RuntimeError(f"{module} of {self.name}: {done.stderr.decode()[-2000:]}")
        return cost


@dataclass(frozen=True)
class Cost:
    """What a program took: time, and processor time of its own, in seconds."""

    seconds: float
    processor: float


def _processor_seconds() -> float:
    """Return the processor time of all programs that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Turn:
    """What one release's programs cost."""

    upload: Cost
    fetch: Cost


def today(name: str, server: S3Server, folder: Path, **more: str) -> Programs:
    """Return today's programs, with a namespace's Secret as they have it mounted."""
    folder.mkdir()
    for key, text in {**server.env, **more}.items():
        (folder / key).write_text(text)
    python = (sys.executable, "-I", "-m")
    modules = ("slipway_pods.agent.upload", "slipway_pods.bring.bring_input")
    return Programs(name, python, *modules, {"SLIPWAY_CREDENTIALS_DIR": str(folder)})


def before(server: S3Server, folder: Path) -> Programs:
    """Return the programs of the release before, whose credentials are variables."""
    shutil.unpack_archive(BEFORE, folder, filter="data")
    source = {"PYTHONPATH": str(folder / "images" / "runtime" / "src")}
    modules = ("slipway_runtime.upload", "slipway_runtime.bring_input")
    return Programs("before", (sys.executable, "-m"), *modules, {**server.env, **source})


def write_output(folder: Path, size: int) -> None:
    """Write a large file and many small ones, of random bytes."""
    folder.mkdir()
    small = int(size * (1 - LARGE_SHARE)) // SMALL_BYTES
    write_random(folder / "model.pt", size - small * SMALL_BYTES)
    for number in range(small):
        write_random(folder / f"shard-{number:05}.bin", SMALL_BYTES)


def write_random(path: Path, size: int) -> None:
    """Write a file of random bytes."""
    with path.open("wb") as file:
        for begin in range(0, size, BLOCK):
            file.write(os.urandom(min(BLOCK, size - begin)))


def turn(programs: Programs, server: S3Server, output: Path, folder: Path) -> Turn:
    """Upload the output and fetch it, and remove both copies."""
    uri, brought = "s3://slipway/outputs/team", folder / "brought"
    brought.mkdir()
    uploaded = programs.run(programs.upload, str(output), uri)
    wanted = json.dumps({"name": "data", "uri": f"{uri}/"})
    fetched = programs.run(programs.fetch, SLIPWAY_INPUT=wanted, SLIPWAY_INPUT_DIR=str(brought))
    if _sizes(brought) != _sizes(output):
        raise RuntimeError(f"{programs.name}: what was fetched is not what was uploaded")
    for stored in (server.bucket / "outputs", server.folder / "metadata", brought):
        shutil.rmtree(stored)
    (server.folder / "metadata").mkdir()
    return Turn(uploaded, fetched)


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.iterdir() if path.name != "_manifest.json")
    return {path.name: path.stat().st_size for path in files}


Figure = Callable[[Turn], float]
FIGURES: dict[str, Figure] = {
    "the time of an upload": lambda turn: turn.upload.seconds,
    "the time of a fetch": lambda turn: turn.fetch.seconds,
    "the processor time of an upload": lambda turn: turn.upload.processor,
    "the processor time of a fetch": lambda turn: turn.fetch.processor,
}


@contextmanager
def contestants(folder: Path) -> Iterator[tuple[S3Server, list[Programs]]]:
    """Yield a server, and the programs that are compared, the release before first."""
    gotools.ensure(["slipway-store"])
    authority = Authority(folder / "authority")
    authority.issue(folder / "tls", "IP:127.0.0.1")
    server = S3Server(folder / "s3", certificate=folder / "tls")
    secure = {
        "SLIPWAY_STORE_ENDPOINT": f"https://127.0.0.1:{server.secure_port}",
        "ca.crt": authority.certificate.read_text(),
    }
    server.start()
    try:
        yield (
            server,
            [
                before(server, folder / "before"),
                today("today", server, folder / "plain"),
                today("today, TLS", server, folder / "secure", **secure),
            ],
        )
    finally:
        server.stop()


def measure(size: int, turns: int, folder: Path) -> dict[str, list[Turn]]:
    """Let the contestants take turns, each time in another order; return all turns by name."""
    write_output(folder / "output", size)
    with contestants(folder) as (server, programs):
        taken: dict[str, list[Turn]] = {each.name: [] for each in programs}
        for number in range(turns):
            shift = number % len(programs)
            for each in programs[shift:] + programs[:shift]:
                took = turn(each, server, folder / "output", folder)
                taken[each.name].append(took)
                print(each.name, *(f"{figure(took):.1f} s" for figure in FIGURES.values()))
    return taken


def ratios(taken: dict[str, list[Turn]], name: str, figure: Figure) -> Spread:
    """Return a figure as a multiple of that of the release before, over pairs of turns."""
    pairs = zip(taken[name], taken["before"], strict=True)
    return Spread.of(figure(one) / figure(other) for one, other in pairs)


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transfer", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-transfer-") as folder:
        taken = measure(chosen.megabytes * 1_000_000, chosen.turns, Path(folder))
    for name in list(taken)[1:]:
        for what, figure in FIGURES.items():
            print(f"{name}: {what} is {ratios(taken, name, figure).text('.3f')} of what it was")
    judged = (FIGURES["the time of an upload"], FIGURES["the time of a fetch"])
    held = all(ratios(taken, "today", figure).median <= MOST_RATIO for figure in judged)
    print(f"Times at most {MOST_RATIO} of what they were: {'held' if held else 'NOT held'}.")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
