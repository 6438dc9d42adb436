"""Running programs, waiting for conditions and writing files whole."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dev.errors import DevError
from dev.steps import say

# Where programs of administrators and Go lie, whatever the PATH of this shell.
os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/local/go/bin:/usr/sbin:/sbin"


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program and return its standard output; raise DevError with its last words."""
    words = [str(word) for word in argv]
    try:
        result = subprocess.run(
            words,
            input=stdin,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            check=False,
            text=True,
            capture_output=True,
        )
    except FileNotFoundError as error:
        raise DevError(f"`{words[0]}` is not there: run `make tools`.") from error
    if result.returncode:
        last_words = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        raise DevError(f"`{' '.join(words)[:300]}` ended with {result.returncode}:\n{last_words}")
    return result.stdout


def succeeds(*argv: str | Path, cwd: Path | None = None) -> bool:
    """Say whether a program is there and ends with exit status 0; its output is dropped."""
    try:
        run(*argv, cwd=cwd)
    except DevError:
        return False
    return True


def wait_until(
    condition: Callable[[], bool], timeout: float, what: str, interval: float = 0.1
) -> None:
    """Poll until the condition holds; raise DevError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise DevError(f"{what} did not happen within {timeout:.0f} s.")
        time.sleep(interval)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.rename(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file whole, or not at all, and return its path."""
    with replacing(path) as temporary:
        temporary.touch(mode)
        temporary.write_text(text)
    return path


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file of this machine; ``what`` says who else may hold it, and is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"--> Waiting for {what} to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Whether another process holds a lock file."""
    if not path.exists():
        return False
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def digest(*parts: bytes | str) -> str:
    """Return a short SHA-256 (12 hexadecimal digits) over parts, each with its length."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(f"{len(data)}:".encode() + data)
    return sha.hexdigest()[:12]
