"""Processes that outlive the command that starts them, and are only ever ended by pid.

A daemon writes its own record (its line of /proc/PID/stat) before it becomes the program, so
that no instant exists at which it runs and cannot be found again. A pid is ours if the start
time in the record is that of the process and its command line names the state folder.
"""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev.errors import DevError
from dev.shell import wait_until

_PATIENCE_SECONDS = 60.0
"""How long a process may take to begin its program, or to be gone after SIGKILL."""
RECORD_THEN_EXEC = 'read -r line < /proc/self/stat; echo "$line" > "$0"; exec "$@"'


@dataclass(frozen=True)
class Process:
    """A process by its pid and its start time (clock ticks since boot), so never a successor."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Return the live process with this pid, or None if there is none."""
        try:
            state, started = _parse(Path(f"/proc/{pid}/stat").read_text())
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if state == "Z" else cls(pid, started)

    @classmethod
    def of_stat(cls, line: str) -> "Process":
        """Return the process that a line of /proc/PID/stat is about, alive or not."""
        return cls(int(line.split()[0]), _parse(line)[1])

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return Process.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    @property
    def program(self) -> str:
        """The name of its program without the folder, empty if it is gone."""
        return Path(next(iter(self.command()), "")).name

    def command(self) -> list[str]:
        """Return its command line, empty if it is gone."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_text().split("\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            return []


@dataclass(frozen=True)
class Daemon:
    """A program with its arguments; its record and log lie in the folder ``state``."""

    name: str
    argv: tuple[str, ...]
    state: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Its standard output and error, of all its starts."""
        return self.state / "logs" / f"{self.name}.log"

    @property
    def process(self) -> Process | None:
        """The running process, or None."""
        return recorded(_record(self.state, self.name), self.state)

    @property
    def current(self) -> bool:
        """Whether it runs with these very arguments."""
        process = self.process
        return process is not None and process.command() == list(self.argv)

    def start(self) -> bool:
        """Start it unless it runs with these very arguments; return whether that was needed."""
        if self.current:
            return False
        if running := self.process:
            end([running], grace=10)
        record = _record(self.state, self.name)
        for path in (record, self.log):
            path.parent.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            subprocess.Popen(
                ["/bin/sh", "-c", RECORD_THEN_EXEC, str(record), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd="/",
                start_new_session=True,
            )
        wait_until(
            self._has_become_the_program,
            _PATIENCE_SECONDS,
            f"The start of {self.name}",
            interval=0.01,
        )
        return True

    def _has_become_the_program(self) -> bool:
        record = _record(self.state, self.name)
        written = record.exists() and record.read_text().endswith("\n")
        return written and (self.current or self.process is None)

    def check(self) -> None:
        """Raise DevError with the end of its log if it does not run."""
        if not self.process:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise DevError(f"{self.name} has ended. The end of {self.log}:\n{tail}")


def _record(state: Path, name: str) -> Path:
    return state / "run" / f"{name}.stat"


def recorded(record: Path, state: Path) -> Process | None:
    """Return the live process of a record, or None if there is none or it is another's."""
    try:
        process = Process.of_stat(record.read_text())
    except (FileNotFoundError, IndexError, ValueError):
        return None
    ours = any(str(state) in word for word in _settled_command(process))
    return process if process.alive and ours else None


def _settled_command(process: Process) -> list[str]:
    """Return the command line of a process; empty for an instant during exec."""

    def settled() -> bool:
        return bool(process.command()) or not process.alive

    wait_until(
        settled, _PATIENCE_SECONDS, f"The command line of process {process.pid}", interval=0.01
    )
    return process.command()


def all_recorded(state: Path) -> dict[str, Process]:
    """Return every live process with a record in the state folder, by name."""
    records = sorted((state / "run").glob("*.stat"))
    found = {record.stem: recorded(record, state) for record in records}
    return {name: process for name, process in found.items() if process}


def mentioning(folder: Path) -> list[Process]:
    """Return the live processes with a path below this folder in their command line."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    processes = filter(None, map(Process.of, pids))
    return [
        process
        for process in processes
        if any(f"{folder}/" in word for word in process.command()[1:])
    ]


def end(processes: Iterable[Process], grace: float) -> None:
    """Send SIGTERM to all, SIGKILL to those left after ``grace`` seconds, and see them gone."""
    remaining = list(processes)
    if grace:
        for process in remaining:
            process.signal(signal.SIGTERM)
        remaining = _left_after(grace, remaining)
    for process in remaining:
        process.signal(signal.SIGKILL)
    if left := _left_after(_PATIENCE_SECONDS, remaining):
        raise DevError(f"Processes {[process.pid for process in left]} do not end; try again.")


def _left_after(seconds: float, processes: list[Process]) -> list[Process]:
    try:
        wait_until(lambda: not any(process.alive for process in processes), seconds, "", 0.02)
    except DevError:
        return [process for process in processes if process.alive]
    return []


def _parse(stat: str) -> tuple[str, str]:
    """Return state and start time: fields 3 and 22 of proc(5) /proc/pid/stat."""
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]
