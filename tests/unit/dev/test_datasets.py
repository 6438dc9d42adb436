"""Data sets that packages ship."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dev import paths
from dev.datasets import bring
from dev.datasets.catalogue import DATASETS, Dataset, Kind, Member
from dev.errors import DevError

ROWS = b"1,a\n"
DIGEST = "eba9741678765ab6fc4e631a0fd787adea681beb31961d0197fd4be035e0cb7e"


def tarred(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as files:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        files.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as files:
        files.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("archived", [tarred, zipped])
def test_a_file_is_taken_out_of_an_archive_in_an_archive(
    tmp_path: Path, archived: Callable[[str, bytes], bytes]
) -> None:
    package = tmp_path / "package"
    package.write_bytes(zipped("data/inner", archived("rows.csv", ROWS)))
    assert bring.read(package, ("data/inner", "rows.csv")) == ROWS


def test_a_file_is_taken_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(ROWS)
    assert bring.read(tmp_path, ("rows.csv",)) == ROWS


@pytest.mark.parametrize("content", [b"no archive", tarred("a", ROWS), zipped("a", ROWS)])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, content: bytes) -> None:
    package = tmp_path / "package"
    package.write_bytes(content)
    with pytest.raises(DevError, match=r"b\.csv is not in package"):
        bring.read(package, ("b.csv",))
    with pytest.raises(DevError, match=r"b\.csv is not in "):
        bring.read(tmp_path, ("b.csv",))


def test_a_file_with_another_digest_than_is_pinned_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)

    def pinned(sha256: str) -> Dataset:
        return Dataset(Kind.DEBIAN, "rows", "1.0", {"rows.csv": Member(("a.csv",), sha256)})

    assert dict(bring.take(pinned(DIGEST), tmp_path)) == {"rows.csv": ROWS}
    (tmp_path / "a.csv").write_bytes(ROWS + ROWS)
    with pytest.raises(DevError, match=r"rows\.csv of rows 1\.0 has the SHA-256 .* and not"):
        dict(bring.take(pinned(DIGEST), tmp_path))


def inputs_of_examples() -> list[tuple[str, str, str]]:
    """Return name, file and digest of each input that an example takes from shared data sets."""
    jobs = [
        each
        for path in sorted((paths.REPOSITORY / "examples").rglob("*.yaml"))
        for each in yaml.safe_load_all(path.read_text())
        if each["kind"] == "TrainingJob"
    ]
    told = [each for job in jobs for each in job["spec"].get("inputs", [])]
    return [
        (each["name"], each["uri"].rpartition("/")[2], each.get("sha256", ""))
        for each in told
        if "/shared/datasets/" in each.get("uri", "")
    ]


@pytest.mark.parametrize(("name", "file", "sha256"), inputs_of_examples())
def test_an_example_asks_for_the_digest_that_is_pinned(name: str, file: str, sha256: str) -> None:
    members = DATASETS[name].members
    assert sha256 == (members[file].sha256 if file else "")
