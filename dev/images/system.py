"""Images that the local cluster itself is made of."""

from dataclasses import dataclass
from pathlib import Path

from dev import gotools, paths
from dev.images import buildah, oci
from dev.shell import digest, replacing, run
from dev.steps import step

HERE = Path(__file__).resolve().parent
PROGRAMS = ("pause", "coredns", "metrics-server", "local-path-provisioner")


@dataclass(frozen=True)
class SystemImage:
    """An image of one program, named after its content."""

    name: str
    program: Path
    dockerfile: Path

    @property
    def reference(self) -> str:
        """Its full name; the tag changes with the program and the Dockerfile."""
        # A Go program's folder is named after what it is built from.
        key = digest(self.program.parent.name, self.dockerfile.read_bytes())
        return f"localhost/slipway-dev/{self.name}:{key}"

    def ensure(self) -> None:
        """Build and export it unless that was done."""
        if oci.manifest(self.reference):
            return
        with step(f"Building image {self.reference}"):
            arguments = {"PROGRAM": self.program.name}
            buildah.build(self.reference, self.dockerfile, self.program.parent, arguments)
            buildah.export(self.reference)


def images() -> dict[str, SystemImage]:
    """Return the system images by name."""
    programs = {name: gotools.path(name) for name in PROGRAMS}
    programs["busybox"] = paths.cache() / "busybox" / "busybox"
    return {name: SystemImage(name, path, _dockerfile(name)) for name, path in programs.items()}


def ensure() -> None:
    """Build what is missing of the system images."""
    wanted = images()
    gotools.ensure(PROGRAMS)
    if all(oci.manifest(image.reference) for image in wanted.values()):
        return
    with buildah.alone(buildah.SYSTEM):
        _fetch_busybox(wanted["busybox"].program)
        for image in wanted.values():
            image.ensure()


def _dockerfile(name: str) -> Path:
    own = HERE / f"Dockerfile.{name}"
    return own if own.exists() else HERE / "Dockerfile.program"


def _fetch_busybox(target: Path) -> None:
    """Take busybox out of Debian's static package, which need not be installed for that."""
    if target.exists():
        return
    with step("Fetching busybox from Debian"), replacing(target.parent) as folder:
        folder.mkdir()
        run("apt-get", "update", "-q")
        run("apt-get", "download", "-q", "busybox-static", cwd=folder)
        package = next(folder.glob("*.deb"))
        run("dpkg-deb", "--extract", package, folder / "root")
        (folder / "root/bin/busybox").rename(folder / "busybox")
        run("rm", "-rf", package, folder / "root")
