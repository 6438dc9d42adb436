"""buildah, with a storage of its own in the cache: no daemon, no registry."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev import packages, paths
from dev.images import oci
from dev.shell import is_locked, locked, run, succeeds

PRODUCT, SYSTEM = "build", "system"
"""Kinds of images, which are built beside each other: the cluster's own do not wait for ours."""


def storage() -> Path:
    """Return the folder of images and layers."""
    return paths.cache() / "buildah"


def exists(image: str) -> bool:
    """Whether the storage holds an image, by its full name."""
    return succeeds(*_buildah(), "inspect", "--type", "image", image)


def build(
    image: str,
    dockerfile: Path,
    context: Path,
    arguments: Mapping[str, str],
    volumes: Sequence[str] = (),
) -> None:
    """Build an image; each instruction's layer is kept and found again.

    ``volumes`` are mounted while instructions run, each as ``SOURCE:TARGET:ro``.
    """
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    options += [f"--volume={volume}" for volume in volumes]
    run(*_buildah(), "build", "--isolation=chroot", "--layers", "--pull-never", "--format=oci",
        *options, f"--tag={image}", f"--file={dockerfile}", context)  # fmt: skip


def export(image: str) -> None:
    """Add an image to the OCI layout, uncompressed: it never travels further than the disk.

    One at a time is added, since each rewrites the layout's index.
    """
    source = f"containers-storage:[overlay@{storage() / 'root'}+{storage() / 'run'}]{image}"
    target = f"oci:{oci.layout()}:{image}"
    oci.layout().mkdir(parents=True, exist_ok=True)
    with locked(storage() / "export.lock", "another export of an image on this machine"):
        run(*with_room("skopeo", "copy", "--quiet"), "--dest-oci-accept-uncompressed-layers",
            source, target)  # fmt: skip


def remove_all_but(keep: Collection[str]) -> None:
    """Remove the images with other names, and the layers that only they need."""
    names = run(*_buildah(), "images", "--format={{.Name}}:{{.Tag}}").split()
    if others := [name for name in names if "<none>" not in name and name not in keep]:
        run(*_buildah(), "rmi", *others)


@contextmanager
def container(image: str, folder: Path) -> Iterator[Callable[[Sequence[str]], Sequence[str]]]:
    """Yield what turns a command into one that runs in an image, with a folder shared.

    It runs as root in a chroot, on the host's network and among its processes; the folder has the
    same path there. Variables are not handed on: name them in the command, by ``env``.
    """
    name = run(*_buildah(), "from", "--pull-never", image).strip()
    options = ("--isolation=chroot", "--user=0:0", f"--volume={folder}:{folder}:rw")
    try:
        yield lambda command: (*_buildah(), "run", *options, name, "--", *command)
    finally:
        run(*_buildah(), "rm", name)


@contextmanager
def alone(kind: str = PRODUCT) -> Iterator[None]:
    """Let one clone at a time build images of a kind on this machine."""
    packages.ensure(packages.IMAGES)
    with locked(_lock(kind), "another build of images on this machine"):
        yield


def building() -> bool:
    """Whether a build is going on."""
    return any(is_locked(_lock(kind)) for kind in (PRODUCT, SYSTEM))


def _lock(kind: str) -> Path:
    return storage() / f"{kind}.lock"


def with_room(*words: str) -> tuple[str, ...]:
    """Return a command that puts its large temporary files beside the images, and not in /tmp."""
    folder = storage() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return "env", f"TMPDIR={folder}", *words


def _buildah() -> tuple[str, ...]:
    return with_room(
        "buildah",
        f"--root={storage() / 'root'}",
        f"--runroot={storage() / 'run'}",
        "--storage-driver=overlay",
    )
