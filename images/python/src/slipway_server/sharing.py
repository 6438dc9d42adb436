"""Whether a loaded model may be shared: whether forking the process that loaded it is safe.

A fork has its parent's memory, so weights are there once for all workers, but not its threads,
and it shares what its parent has open. Where loading has left any of that, each worker loads for
itself.
"""

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import Any

_FOLDER = Path("/proc/self")
_HARMLESS = frozenset({"/dev/null", "/dev/urandom", "/dev/random", "/dev/zero"})


def descriptors() -> dict[int, str]:
    """Return what this process has open, by its descriptors; nothing where there is no /proc."""
    opened = {}
    if _FOLDER.is_dir():
        for name in os.listdir(_FOLDER / "fd"):  # noqa: PTH208 - the names alone
            with contextlib.suppress(OSError):  # the folder's own descriptor is closed by now
                opened[int(name)] = str((_FOLDER / "fd" / name).readlink())
    return opened


def obstacle(before: dict[int, str]) -> str:
    """Return why this process may not be forked, in words; empty where it may.

    ``before`` is what it had open before it loaded the model.
    """
    if not _FOLDER.is_dir():
        return "this system does not tell a process's threads"
    threads = len(os.listdir(_FOLDER / "task"))  # noqa: PTH208
    if threads > 1:
        return f"loading it has started threads ({threads - 1})"
    if (_FOLDER / f"task/{os.getpid()}/children").read_text().strip():
        return "loading it has started processes"
    for number, target in descriptors().items():
        if before.get(number) != target and not _is_harmless(number, target):
            return f"loading it has left {target} open"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "it is on a GPU"
    return ""


def _is_harmless(number: int, target: str) -> bool:
    try:
        return target in _HARMLESS or stat.S_ISDIR(os.fstat(number).st_mode)
    except OSError:
        return True


class Threads:
    """Keeps torch from starting threads while a model is loaded, and lets it afterwards."""

    def __init__(self) -> None:
        self._torch = sys.modules.get("torch")
        self._number = self._torch.get_num_threads() if self._torch else 1

    def hold(self) -> None:
        """Have torch use the calling thread alone."""
        if self._torch:
            self._torch.set_num_threads(1)

    def release(self) -> None:
        """Have torch use as many as before."""
        if self._torch:
            self._torch.set_num_threads(self._number)


class Randomness:
    """NumPy's global random numbers, which forks would share; Python seeds its own anew."""

    def __init__(self) -> None:
        self.renew()
        self._seeded = self._state()

    def renew_unless_seeded(self) -> None:
        """Begin anew, unless the handler has chosen a seed: then every worker has its numbers."""
        if self._state() == self._seeded:
            self.renew()

    def renew(self) -> None:
        """Begin anew with the system's randomness."""
        if (numpy := sys.modules.get("numpy")) is not None:
            numpy.random.seed()

    def _state(self) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return None
        _, keys, position, *_ = numpy.random.get_state()
        return keys.tobytes(), position
