import io
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

import pytest

from slipway_runtime.archive import ArchiveError, unpack


def tar(path: Path, mode: Literal["w", "w:gz", "w:bz2", "w:xz"], **files: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression_is_unpacked(
    tmp_path: Path, mode: Literal["w", "w:gz", "w:bz2", "w:xz"]
) -> None:
    unpack(tar(tmp_path / "a", mode, **{"net/train.py": "x"}), tmp_path / "out")
    assert (tmp_path / "out" / "net" / "train.py").read_text() == "x"


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("net/", "")
        archive.writestr("net/train.py", "x")
    unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out" / "net" / "train.py").read_text() == "x"


@pytest.mark.parametrize("name", ["../train.py", "/train.py", "net/../../train.py"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="which leads out of it"):
        unpack(tar(tmp_path / "a", "w", **{name: "x"}), tmp_path / "out")


def test_links_that_stay_inside_are_kept_and_nothing_is_written_through_them(
    tmp_path: Path,
) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        for name, target in (("new.py", "train.py"), ("here", "."), ("up", "..")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        for name in ("train.py", "here/inner.py", "up/outer.py"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        member = tarfile.TarInfo("twin.py")
        member.type, member.linkname = tarfile.LNKTYPE, "train.py"
        archive.addfile(member)
    unpack(tmp_path / "a", tmp_path / "out")
    out = tmp_path / "out"
    assert (out / "new.py").is_symlink()
    assert (out / "new.py").read_text() == (out / "twin.py").read_text() == "x"
    assert (out / "up" / "outer.py").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "out"]


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        member = tarfile.TarInfo("environment")
        member.type, member.linkname = tarfile.SYMTYPE, "/proc/self/environ"
        archive.addfile(member)
    unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out" / "environment").is_symlink()


@pytest.mark.parametrize("content", [b"no archive at all", b"", b"\x1f\x8b broken"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"make a \.tar, \.tar\.gz or \.zip"):
        unpack(tmp_path / "a", tmp_path / "out")
