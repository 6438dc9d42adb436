"""What the node's containers leave on this machine, and how all of it is ended."""

from functools import partial
from pathlib import Path

from dev.cluster import daemon, layout
from dev.cluster.daemon import Process
from dev.errors import DevError
from dev.images import buildah
from dev.images.node import CTR
from dev.shell import run, succeeds, wait_until

CGROUPS = Path("/sys/fs/cgroup")
POD_GROUP = "kubepods"


def end_all() -> int:
    """End every process of every pod, and their shims; return how many there were."""
    processes = _in_pods()
    daemon.end(processes, grace=0)
    daemon.end(shims(), grace=0)
    return len(processes)


def shims() -> list[Process]:
    """Return the processes by which our containerd looks after containers."""
    found = daemon.mentioning(layout.STATE)
    return [process for process in found if process.program.startswith("containerd-shim")]


def forget_all() -> None:
    """Make containerd forget all containers; it has to run, and their processes not to."""
    for kind in ("tasks", "containers"):
        if names := run(*CTR, kind, "ls", "-q").split():
            force = ("-f",) if kind == "tasks" else ()
            succeeds(*CTR, kind, "rm", *force, *names)


def unmount_all() -> int:
    """Undo every mount of the cluster's and of an image build's; return how many there were."""
    mounts = mounted()
    for mount in mounts:
        _unmount(mount)
    return len(mounts)


def _unmount(mount: str) -> None:
    """Undo a mount; one that has gone meanwhile, as those of ending containers do, is undone."""
    try:
        run("umount", "--lazy", mount)
    except DevError:
        if mount in mounted():
            raise


def mounted() -> list[str]:
    """Return the cluster's mounts and those that an interrupted build left, innermost first."""
    folders = [layout.STATE, layout.containerd_root()]
    if not buildah.building():
        folders.append(buildah.storage())
    prefixes = tuple(f"{folder}/" for folder in folders)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (line.split()[4].encode().decode("unicode_escape") for line in lines)
    return [point for point in reversed(list(points)) if point.startswith(prefixes)]


def remove_cgroups() -> int:
    """Remove the pods' control groups; return how many there were."""
    groups = [group for root in _pod_groups() for group in [*root.rglob("*/"), root]]
    folders = sorted((group for group in groups if group.is_dir()), reverse=True)
    for folder in folders:
        wait_until(partial(_removed, folder), 10, f"The end of {folder}")
    return len(folders)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _pod_groups() -> list[Path]:
    found = [CGROUPS / POD_GROUP, *(CGROUPS.glob(f"*/{POD_GROUP}"))]
    return [group for group in found if group.is_dir()]


def _in_pods() -> list[Process]:
    pids = {
        int(pid)
        for root in _pod_groups()
        for file in root.rglob("cgroup.procs")
        for pid in file.read_text().split()
    }
    return [process for process in map(Process.of, sorted(pids)) if process]
