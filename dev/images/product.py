"""Slipway's own images, from the Dockerfiles that also build them elsewhere.

An image's tag is a hash of its Dockerfile, of the files that it copies and of the images that it
stands on: what has not changed is never built, exported or loaded again.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dev import gotools, paths
from dev.errors import DevError
from dev.images import buildah, oci
from dev.shell import digest, run
from dev.steps import step

HERE = Path(__file__).resolve().parent
PACKAGES = "python3,python3-venv,ca-certificates"
SUITE = "bookworm"
SLIM = tuple(
    f"--dpkgopt=path-exclude=/usr/share/{files}"
    for files in ("doc/*", "info/*", "locale/*", "man/*/*")
)
SPACE = 20 * 2**30
STORE_PROGRAMS = ("slipway-store", "versitygw")
"""What a store's image holds: ours, or versitygw's own, as in release 0.2.0."""
EXAMPLES = ("flask", "django", "keras")
"""Folders of examples with a Dockerfile."""
CERTIFICATES = Path("/etc/ssl/certs")
MOUNTED = Path("/mnt")
"""Where a build sees this machine's certificates: packages write their own to the usual place."""


@dataclass(frozen=True)
class Image:
    """An image built from a Dockerfile; ``bases`` maps its build arguments to images."""

    name: str
    dockerfile: Path
    context: Path
    bases: Mapping[str, "Image"] = field(default_factory=dict)
    extra_key: str = ""

    @property
    def reference(self) -> str:
        """Its full name, ``localhost/NAME:HASH``."""
        return f"localhost/{self.name}:{self.tag}"

    @cached_property
    def tag(self) -> str:
        """The hash of all that it is made of."""
        bases = [f"{argument}={image.tag}" for argument, image in sorted(self.bases.items())]
        parts = [part for file in self._files() for part in _identity(file, self.context)]
        return digest(self.extra_key, *bases, self.dockerfile.read_bytes(), *parts)

    def ensure(self) -> None:
        """Build it and what it stands on, where the storage lacks them."""
        if buildah.exists(self.reference):
            return
        for base in self.bases.values():
            base.ensure()
        with step(f"Building image {self.reference}"):
            self.build()

    def build(self) -> None:
        """Build it, with this machine's certificate authorities for what it downloads."""
        arguments = {name: image.reference for name, image in self.bases.items()}
        arguments["PIP_CERT"] = str(MOUNTED / "ca-certificates.crt")
        volumes = (f"{CERTIFICATES}:{MOUNTED}:ro",)
        buildah.build(self.reference, self.dockerfile, self.context, arguments, volumes)

    def _files(self) -> Iterator[Path]:
        for source in _copied(self.dockerfile):
            at = self.context / source
            found = sorted(at.rglob("*")) if at.is_dir() else [at]
            yield from (file for file in found if file.is_file() and not _is_bytecode(file))


@dataclass(frozen=True)
class DebianImage(Image):
    """The base of all: Debian with Python, made by mmdebstrap from the package mirror."""

    def build(self) -> None:
        """Make the archive and the image; the archive is not kept."""
        buildah.storage().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=buildah.storage()) as folder:
            archive = Path(folder) / "base.tar"
            words = buildah.with_room("mmdebstrap", "--variant=minbase", *SLIM)
            run(*words, f"--include={PACKAGES}", SUITE, archive)
            buildah.build(self.reference, self.dockerfile, Path(folder), {})

    def _files(self) -> Iterator[Path]:
        return iter(())


@dataclass(frozen=True)
class ProgramImage(Image):
    """The store's build stage, where a program that was built on this machine is already.

    Its tag is by the hash of the program's sources, and so the same before it is built.
    """

    program: str = ""

    @classmethod
    def of(cls, program: str, base: Image) -> "ProgramImage":
        """Return that of a program, which its module's hash names before it is built."""
        folder, dockerfile = gotools.path(program).parent, HERE / "Dockerfile.go"
        return cls(
            f"slipway-go-{program}", dockerfile, folder, {"BASE": base}, folder.name, program
        )

    def ensure(self) -> None:
        """Build the program where image and program are missing, and the image."""
        if not buildah.exists(self.reference):
            gotools.ensure([self.program])
        super().ensure()

    def build(self) -> None:
        """Build it from the program, which is there."""
        arguments = {"BASE": self.bases["BASE"].reference, "PROGRAM": self.program}
        buildah.build(self.reference, self.dockerfile, self.context, arguments)

    def _files(self) -> Iterator[Path]:
        return iter(())


def images(sources: Path = paths.REPOSITORY) -> dict[str, Image]:
    """Return the images that the chart needs, by the chart's names for them.

    ``sources`` is the root of the clone that they are made of.
    """
    base = _base()
    dockerfile = (sources / "images" / "store" / "Dockerfile").read_text()
    program = next(name for name in STORE_PROGRAMS if f"/out/{name}" in dockerfile)
    return _images(sources, {"BASE": base}, {"GO_BASE": ProgramImage.of(program, base)})


def images_on_public_bases() -> dict[str, Image]:
    """Return the same images, standing on the public ones that their Dockerfiles name."""
    return _images(paths.REPOSITORY, {}, {})


def _images(
    sources: Path, base: Mapping[str, Image], go_base: Mapping[str, Image]
) -> dict[str, Image]:
    torch = {"TORCH_IMAGE": _product(sources, "torch", base)}
    return {
        "operator": _product(sources, "operator", base),
        "store": _product(sources, "store", {**base, **go_base}),
        **{name: _product(sources, name, torch) for name in _on_torch(sources)},
    }


def _on_torch(sources: Path) -> list[str]:
    """Return which images stand on the torch layer: release 0.2.0 has no Python server's."""
    names = ("trainer", "server", "python")
    return [name for name in names if (sources / "images" / name / "Dockerfile").exists()]


def _base() -> DebianImage:
    key = f"{PACKAGES} {SUITE} {SLIM}"
    return DebianImage("slipway-base", HERE / "Dockerfile.base", HERE, extra_key=key)


def examples() -> dict[str, Image]:
    """Return the images of servers of users' own, by their folders: none of ours is in them."""
    folders = {name: paths.REPOSITORY / "examples" / name for name in EXAMPLES}
    return {
        name: Image(f"slipway-example-{name}", folder / "Dockerfile", folder, {"BASE": _base()})
        for name, folder in folders.items()
    }


def ensure_example(name: str) -> Image:
    """Build and export one of them where that was not done, and return it."""
    image = examples()[name]
    if not oci.manifest(image.reference):
        with buildah.alone():
            image.ensure()
            buildah.export(image.reference)
    return image


def frameworks() -> Image:
    """Return the torch layer with Lightning and transformers on top, which tests run."""
    context = HERE / "frameworks"
    torch = images()["trainer"].bases["TORCH_IMAGE"]
    return Image("slipway-frameworks", context / "Dockerfile", context, {"TORCH_IMAGE": torch})


def ensure_frameworks() -> Image:
    """Build that image where the storage lacks it, and return it."""
    return _ensured(frameworks())


def _ensured(image: Image) -> Image:
    if not buildah.exists(image.reference):
        with buildah.alone():
            image.ensure()
    return image


def compiler() -> Image:
    """Return the torch layer with a C++ compiler on top, in which tests have programs compiled."""
    dockerfile = HERE / "Dockerfile.compiler"
    return Image("slipway-compiler", dockerfile, HERE, frameworks().bases)


def ensure_compiler() -> Image:
    """Build that image where the storage lacks it, and return it."""
    return _ensured(compiler())


def archives(runtime: str) -> Image:
    """Return what conformance tests serve archives in: by ``server`` (TorchServe) or ``python``.

    The latter is the torch layer, to which the tests bring slipway_server as it is in the clone.
    """
    context, server = HERE / "archives", images()["server"]
    base = server if runtime == "server" else server.bases["TORCH_IMAGE"]
    return Image(f"slipway-archives-{runtime}", context / "Dockerfile", context, {"BASE": base})


def ensure_archives(runtime: str) -> Image:
    """Build that image where the storage lacks it, and return it."""
    return _ensured(archives(runtime))


def ensure(
    sources: Path = paths.REPOSITORY, then: Callable[[Image], object] = lambda image: None
) -> dict[str, Image]:
    """Build and export what is missing of the images; return all of them, as they are now.

    ``then`` is called with each that was exported, before the next is built.
    """
    found = images(sources)
    missing = [image for image in found.values() if not oci.manifest(image.reference)]
    if missing:
        with buildah.alone():
            _check_space(missing)
            for image in sorted(missing, key=_turn):
                image.ensure()
                with step(f"Exporting image {image.reference}"):
                    buildah.export(image.reference)
                then(image)
    return found


def _turn(image: Image) -> tuple[bool, bool]:
    """Put the largest first, since they take longest to load, and what waits for Go last.

    Go programs are built meanwhile.
    """
    return "GO_BASE" in image.bases, "TORCH_IMAGE" not in image.bases


def ensure_stored(name: str) -> Image:
    """Build one of the images where the storage lacks it, export none, and return it."""
    return _ensured(images()[name])


def _check_space(missing: list[Image]) -> None:
    """Refuse to start the torch layer where the disk cannot take it, in all its copies."""
    torch = [base for image in missing for base in image.bases.values() if "torch" in base.name]
    free = shutil.disk_usage(buildah.storage().parent).free
    if free < SPACE and not all(buildah.exists(image.reference) for image in torch):
        raise DevError(
            f"The images need {SPACE >> 30} GiB in {paths.cache()}; {free >> 30} GiB are free: "
            "make room there, or set SLIPWAY_CACHE to a folder on a larger disk."
        )


def _product(sources: Path, name: str, bases: Mapping[str, Image]) -> Image:
    dockerfile = sources / "images" / name / "Dockerfile"
    return Image(f"slipway-{name}", dockerfile, sources, bases)


def _copied(dockerfile: Path) -> Iterator[str]:
    """Yield what a Dockerfile copies from its context."""
    for line in dockerfile.read_text().splitlines():
        words = [word for word in line.split() if not word.startswith("--")]
        if words[:1] in (["COPY"], ["ADD"]) and "--from=" not in line:
            yield from words[1:-1]


def _identity(file: Path, context: Path) -> tuple[str, bytes]:
    mode = "x" if os.access(file, os.X_OK) else "-"
    return f"{file.relative_to(context)} {mode}", file.read_bytes()


def _is_bytecode(file: Path) -> bool:
    return file.suffix == ".pyc" or "__pycache__" in file.parts
