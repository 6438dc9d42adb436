"""Letting the sidecar, which is another user of the same group, read what a script has written.

Many libraries write files that only their own user can read, such as those of `tempfile`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

MAX_DEPTH = 128
"""Most folders within each other, as `slipway_pods.beneath` has it."""
FILE, FOLDER = stat.S_IRGRP, stat.S_IRGRP | stat.S_IXGRP
"""What the group may do with a file, and with a folder, besides what it may do already."""


def share(folder: Path) -> None:
    """Let the group of a folder read it and all that is beneath it; no link is followed.

    `shutil.copytree` of a temporary folder into it closes it, as that one was.
    What belongs to another user stays as it is: whoever cannot read it says so.
    """
    with contextlib.suppress(OSError):
        group = folder.stat().st_gid
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):
                _open_to(fd, os.fstat(fd), group, FOLDER)
            _share(fd, group, 1)
        finally:
            os.close(fd)


def _share(folder: int, group: int, depth: int) -> None:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        with contextlib.suppress(OSError):
            _share_one(name, folder, group, depth)


def _share_one(name: str, folder: int, group: int, depth: int) -> None:
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        about = os.fstat(fd)
        if stat.S_ISREG(about.st_mode):
            _open_to(fd, about, group, FILE)
        elif stat.S_ISDIR(about.st_mode) and depth < MAX_DEPTH:
            _open_to(fd, about, group, FOLDER)
            inner = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            try:
                _share(inner, group, depth + 1)
            finally:
                os.close(inner)
    finally:
        os.close(fd)


def _open_to(fd: int, about: os.stat_result, group: int, rights: int) -> None:
    """Give a group rights to what a descriptor names, which cannot be opened itself."""
    path = f"/proc/self/fd/{fd}"
    if about.st_gid != group:
        with contextlib.suppress(OSError):
            os.chown(path, -1, group)
    if about.st_mode & rights != rights:
        os.chmod(path, stat.S_IMODE(about.st_mode) | rights)  # noqa: PTH101 - a descriptor's
