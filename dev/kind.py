"""A cluster of kind's, whose one node is a container, with Slipway's images loaded into it."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import paths
from dev.errors import DevError
from dev.images import product
from dev.shell import run, succeeds
from dev.steps import say, step

NAME = "slipway"
"""The cluster's name; no other cluster of kind's is touched."""
PROVIDER = "KIND_EXPERIMENTAL_PROVIDER"
"""The variable by which users, and we, tell kind which container engine it has to use."""
_NODE = f"{NAME}-control-plane"
_MANY = {"podman": ("--multi-image-archive",)}
"""What an engine needs to be told so that it saves several images to one archive."""


@dataclass(frozen=True)
class Engine:
    """A container engine that builds images and runs kind's node: ``docker`` or ``podman``."""

    program: str

    def __call__(self, *args: str | Path) -> str:
        """Run it and return its standard output; raise DevError if it fails."""
        return run(self.program, *args)

    def kind(self, *args: str | Path) -> str:
        """Run kind with this engine and return its standard output; raise DevError if it fails."""
        env = {PROVIDER: self.program} if self.program != "docker" else {}
        return run("kind", *args, env=env)

    def has(self, image: str) -> bool:
        """Whether it holds an image, by its full name."""
        return succeeds(self.program, "image", "inspect", image)

    def ensure(self, image: product.Image) -> None:
        """Build an image and what it stands on, where they are missing."""
        if self.has(image.reference):
            return
        for base in image.bases.values():
            self.ensure(base)
        arguments = [f"--build-arg={name}={base.reference}" for name, base in image.bases.items()]
        with step(f"Building image {image.reference} by {self.program}"):
            self("build", *arguments, f"--tag={image.reference}", f"--file={image.dockerfile}",
                 image.context)  # fmt: skip


def kubeconfig() -> Path:
    """Return where the cluster's kubeconfig lies: the user's own keeps its current context."""
    return paths.cache() / "kind" / "kubeconfig"


def up() -> dict[str, product.Image]:
    """Make or find the cluster, build the images and load what its node lacks; return them."""
    engine = find_engine()
    images = product.images_on_public_bases()
    _ensure_cluster(engine)
    missing = list(_missing(engine, [image.reference for image in images.values()]))
    for image in images.values():
        if image.reference in missing:
            engine.ensure(image)
    if missing:
        _load(engine, missing)
    return images


def find_engine() -> Engine:
    """Return the engine that the user has told kind to use, or the first that answers.

    Raises DevError, which says what to install or to start, where kind or the engine is missing.
    """
    if not shutil.which("kind"):
        raise DevError(
            "`kind` is not there: install kind 0.21 or later (https://kind.sigs.k8s.io) and put it "
            "into PATH. `make demo` without CLUSTER=kind needs neither it nor Docker."
        )
    chosen = os.environ.get(PROVIDER)
    for program in (chosen,) if chosen else ("docker", "podman"):
        if succeeds(program, "info"):
            return Engine(program)
    raise DevError(
        f"`{chosen} info` fails: start {chosen}, which {PROVIDER} names."
        if chosen
        else "Neither `docker info` nor `podman info` succeeds, and kind needs one of them: start "
        "Docker, or install it (https://docs.docker.com/engine/install)."
    )


def _ensure_cluster(engine: Engine) -> None:
    kubeconfig().parent.mkdir(parents=True, exist_ok=True)
    where = (f"--name={NAME}", f"--kubeconfig={kubeconfig()}")
    if NAME in engine.kind("get", "clusters").split():
        say(f"--> kind's cluster {NAME} is there already")
        engine.kind("export", "kubeconfig", *where)
        return
    with step(f"Making kind's cluster {NAME}"):
        engine.kind("create", "cluster", *where, "--wait=300s")


def _missing(engine: Engine, references: Collection[str]) -> Iterator[str]:
    """Yield the images that the node does not have."""
    listed = engine("exec", _NODE, "ctr", "--namespace=k8s.io", "images", "list", "--quiet")
    present = set(listed.split())
    yield from (reference for reference in references if reference not in present)


def _load(engine: Engine, references: Collection[str]) -> None:
    """Load images by one archive, in which a layer that they share lies once."""
    with (
        step(f"Loading {len(references)} images into kind's node"),
        tempfile.TemporaryDirectory(dir=kubeconfig().parent) as folder,
    ):
        archive = Path(folder) / "images.tar"
        engine("save", *_MANY.get(engine.program, ()), f"--output={archive}", *references)
        engine.kind("load", "image-archive", f"--name={NAME}", archive)
