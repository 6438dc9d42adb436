"""Folders of PersistentVolumeClaims as a store: ``pvc://CLAIM/PATH``.

The claims are mounted under ``SLIPWAY_CLAIMS_DIR``, each under its own name. A file gets its name
when it is whole and on the disk; readers of other pods see all of it or nothing.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from slipway_runtime.whole_file import whole

SCHEME = "pvc"
_PREFIX = f"{SCHEME}://"
TRIES = 3
"""How often a file is begun: another pod may take its folder away while that is empty."""


class ClaimFileSystem(LocalFileSystem):  # type: ignore[misc]
    """The claims that are mounted here; whoever fails to write one raises an error with a cause."""

    protocol = (SCHEME,)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, str) and path.startswith(_PREFIX):
            path = f"{os.environ['SLIPWAY_CLAIMS_DIR']}/{path.removeprefix(_PREFIX)}"
        return super()._strip_protocol(path)

    def put_stream(self, file: IO[bytes], path: str) -> None:
        """Copy an opened file, from its beginning, to a path."""

        def fill(partial: Path) -> None:
            file.seek(0)
            with partial.open("wb") as target:
                shutil.copyfileobj(file, target, 1024 * 1024)

        self._write(path, fill)

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        """Write bytes to a path."""
        self._write(path, lambda partial: partial.write_bytes(value))

    def rm_file(self, path: str) -> None:
        """Delete a file, and the folders above it that are empty then."""
        target = Path(self._strip_protocol(path))
        target.unlink()
        root = Path(os.environ["SLIPWAY_CLAIMS_DIR"])
        with contextlib.suppress(OSError):
            for folder in target.parents:
                if folder.parent in (root, *root.parents):
                    break
                folder.rmdir()

    def _write(self, path: str, fill: Callable[[Path], object]) -> None:
        target = Path(self._strip_protocol(path))
        for tried in range(1, TRIES + 1):
            try:
                _write_whole(target, fill)
            except FileNotFoundError as error:
                if tried == TRIES:
                    raise OSError(error.errno, str(error)) from error
            except OSError as error:
                raise type(error)(error.errno, str(error)) from error
            else:
                return


def _write_whole(target: Path, fill: Callable[[Path], object]) -> None:
    with whole(target) as partial:
        fill(partial)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
