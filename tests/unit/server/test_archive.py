"""Archives from anybody: what is read, and what is refused before any code of theirs runs."""

import contextlib
import json
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_server.archive import Limits, Manifest, unpack
from slipway_server.errors import ArchiveError
from tests.unit.server.conftest import manifest, write_archive


def test_an_archive_is_unpacked_and_its_manifest_read(archive: Path, tmp_path: Path) -> None:
    write_archive(archive, {"handler.py": "x = 1", "data/a b.txt": "y"}, configFile="mc.yaml")
    told = unpack(archive, tmp_path / "out")
    assert (told.model_name, told.model_version, told.handler) == ("echo", "1.0", "handler.py")
    assert told.config_file == "mc.yaml"
    assert (tmp_path / "out/data/a b.txt").read_text() == "y"


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "a\\..\\x", "x\0y"])
def test_a_file_outside_of_the_archive_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    write_archive(archive, {"handler.py": "x = 1"})
    with zipfile.ZipFile(archive, "a") as bundle:
        entry = zipfile.ZipInfo("harmless")
        entry.filename = entry.orig_filename = name
        bundle.writestr(entry, "evil")
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "deep/out")
    assert not [path for path in tmp_path.rglob("x") if path.is_file()]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(archive: Path, tmp_path: Path, kind: int) -> None:
    write_archive(archive, {"handler.py": "x = 1"})
    with zipfile.ZipFile(archive, "a") as bundle:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (kind | 0o777) << 16
        bundle.writestr(entry, "/etc/passwd")
    with pytest.raises(ArchiveError, match="not a file"):
        unpack(archive, tmp_path / "out")


def test_a_file_that_is_there_twice_is_refused(archive: Path, tmp_path: Path) -> None:
    write_archive(archive, {"handler.py": "x = 1"})
    with zipfile.ZipFile(archive, "a") as bundle, pytest.warns(UserWarning, match="Duplicate"):
        bundle.writestr("handler.py", "x = 2")
    with pytest.raises(ArchiveError, match="twice"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["./handler.py", "deep//handler.py", "deep/./handler.py"])
def test_a_file_that_is_there_twice_by_another_way_is_refused(
    archive: Path, tmp_path: Path, name: str
) -> None:
    write_archive(archive, {"handler.py": "x = 1", "deep/handler.py": "x = 1", name: "x = 2"})
    with pytest.raises(ArchiveError, match="twice"):
        unpack(archive, tmp_path / "out")


def test_a_bomb_is_refused_by_what_it_says(archive: Path, tmp_path: Path) -> None:
    write_archive(archive, {"handler.py": "x" * 5000})
    with pytest.raises(ArchiveError, match="4000 bytes"):
        unpack(archive, tmp_path / "out", Limits(total_bytes=4000))


def test_too_many_files_are_refused(archive: Path, tmp_path: Path) -> None:
    write_archive(archive, {str(number): "" for number in range(20)})
    with pytest.raises(ArchiveError, match="21 files"):
        unpack(archive, tmp_path / "out", Limits(files=20))


@pytest.mark.parametrize("text", [b"", b"no zip", b"PK\x03\x04 but not more"])
def test_what_is_no_archive_is_refused(archive: Path, tmp_path: Path, text: bytes) -> None:
    archive.write_bytes(text)
    with pytest.raises(ArchiveError, match="is no archive"):
        unpack(archive, tmp_path / "out")


def test_an_archive_without_a_manifest_is_refused(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", "")
    with pytest.raises(ArchiveError, match=r"no MAR-INF/MANIFEST\.json"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    "model",
    [{"modelName": "../x"}, {"modelName": ""}, {"modelVersion": "1/2"}, {"handler": ""}],
)
def test_a_manifest_that_names_nothing_usable_is_refused(model: dict[str, str]) -> None:
    with pytest.raises(ArchiveError):
        Manifest.parse(json.dumps(manifest(**model)).encode())


@pytest.mark.parametrize(
    "names",
    [("a", "a/b"), ("a/b", "a"), ("x" * 300,), ("ä" * 150,), ("x/" * 1500 + "x",)],
)
def test_names_that_no_file_system_takes_are_refused(
    archive: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    write_archive(archive, {"handler.py": "", **dict.fromkeys(names, "x")})
    with pytest.raises(ArchiveError, match=r"is a file and a folder|too long a name"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_than_archivers_use_is_refused(
    archive: Path, tmp_path: Path, method: int
) -> None:
    write_archive(archive, {"handler.py": ""})
    with zipfile.ZipFile(archive, "a", method) as bundle:
        bundle.writestr("x", "x" * 100)
    with pytest.raises(ArchiveError, match="another method"):
        unpack(archive, tmp_path / "out")


def test_a_file_that_is_longer_than_it_says_is_refused(archive: Path, tmp_path: Path) -> None:
    write_archive(archive, {"handler.py": "", "x": "x" * 4321})
    size = (4321).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (1).to_bytes(4, "little")))
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "out")


@given(st.data())
def test_no_change_of_an_archives_bytes_makes_unpacking_fail_otherwise(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "a.mar"
        write_archive(path, {"handler.py": "x = 1\n" * 9})
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("packed", "y" * 99)
        text = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(text)
        with contextlib.suppress(ArchiveError):
            unpack(path, folder / "deep/out")
        shutil.rmtree(folder / "deep", ignore_errors=True)
        assert [one.name for one in folder.iterdir()] == ["a.mar"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_text_makes_the_reader_of_manifests_fail_otherwise(text: bytes) -> None:
    with contextlib.suppress(ArchiveError):
        Manifest.parse(text)


@given(st.recursive(st.none() | st.text(max_size=9) | st.integers(), st.lists, max_leaves=9))
def test_no_value_of_a_field_makes_it_fail_otherwise(value: object) -> None:
    with contextlib.suppress(ArchiveError):
        Manifest.parse(json.dumps({"model": {"modelName": value, "handler": value}}).encode())
