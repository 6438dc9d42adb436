import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from slipway_pods import room
from slipway_pods.bring import archive as archives
from slipway_pods.bring.archive import ArchiveError, unpack
from tests.unit.runtime.archives import damaged_zip, two_lists, unlisted, zipped


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


def links(path: Path, *pairs: tuple[str, str]) -> Path:
    """Write a tar of links, each a name and what it leads to."""
    with tarfile.open(path, "w") as archive:
        for name, target in pairs:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path


def test_a_chain_of_links_that_only_together_leads_out_is_left_out(tmp_path: Path) -> None:
    chain = links(tmp_path / "a", ("up", "n1/n1/n1/../../.."), ("n1", "."), ("safe", "n1"))
    unpack(chain, tmp_path / "out")
    assert not (tmp_path / "out" / "up").is_symlink()
    assert (tmp_path / "out" / "safe").is_symlink()


def test_links_that_never_end_are_left_out(tmp_path: Path) -> None:
    unpack(links(tmp_path / "a", ("a", "b"), ("b", "a")), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("where", [0.05, 0.3, 0.6, 0.9])
def test_one_bit_that_was_flipped_is_told(
    tmp_path: Path, compress: Callable[[bytes], bytes], where: float
) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        content = os.urandom(20_000)
        member = tarfile.TarInfo("train.py")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    data = bytearray(compress(plain.getvalue()))
    data[max(20, int(len(data) * where))] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("cut", [1, 4, 8, 100])
def test_a_gzip_that_lacks_its_end_is_told(tmp_path: Path, cut: int) -> None:
    whole = tar(tmp_path / "whole", "w:gz", **{"train.py": "x" * 1000}).read_bytes()
    (tmp_path / "a").write_bytes(whole[:-cut])
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("damage", ["encrypted", "Deflate64", "content"])
def test_a_zip_that_cannot_be_read_is_told(tmp_path: Path, damage: str) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.py", "x" * 1000)
    (tmp_path / "a").write_bytes(damaged_zip((tmp_path / "a").read_bytes(), damage))
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [
        two_lists(zipped({"train.py": b"harmless"}), zipped({"train.py": b"something else"})),
        unlisted(zipped({"train.py": b"x"}), zipped({"hidden.py": b"y"})),
        b"#!/bin/sh\n" + zipped({"train.py": b"x"}),
        zipped({"net/train.py": b"x", "net//train.py": b"y"}),
        zipped({"train.py": b"x"}) + b"more",
    ],
    ids=["two lists", "unlisted", "before", "twice", "behind"],
)
def test_a_zip_that_two_readers_take_for_two_things_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"cannot be unpacked .*make a \.tar"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = zipped({"inner": b"y"})
    with tarfile.open(tmp_path / "a", "w") as archive:
        member = tarfile.TarInfo("data.zip")
        member.size = len(inner)
        archive.addfile(member, io.BytesIO(inner))
    unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out" / "data.zip").read_bytes() == inner


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_unfolds_to_much_more_than_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(archives, "SMALL_BYTES", 1024 * 1024)
    zeros = "\0" * 4 * 1024 * 1024
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", zeros)
    else:
        tar(tmp_path / "a", "w:gz", zeros=zeros)
    with pytest.raises(ArchiveError, match="holds more than the"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out" / "zeros").stat().st_size <= 2 * 1024 * 1024


def test_what_follows_the_last_entry_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "SMALL_BYTES", 1024 * 1024)
    plain = tar(tmp_path / "plain", "w", **{"train.py": "x"}).read_bytes()
    (tmp_path / "a").write_bytes(gzip.compress(plain + bytes(4 * 1024 * 1024)))
    with pytest.raises(ArchiveError, match="holds more than the"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_too_many_entries_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 10)
    names = [f"f{number}" for number in range(11)]
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a", "w") as archive:
            for name in names:
                archive.writestr(name, "")
    else:
        tar(tmp_path / "a", "w", **dict.fromkeys(names, ""))
    with pytest.raises(ArchiveError, match="more than 10 entries"):
        unpack(tmp_path / "a", tmp_path / "out")


def test_a_disk_that_would_be_full_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free", lambda _: 10)
    with pytest.raises(OSError, match="no space"):
        unpack(tar(tmp_path / "a", "w", **{"train.py": "x" * 11}), tmp_path / "out")


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tar(tmp_path / "a", "w", **{"net": "x", "net/train.py": "x"}), tmp_path / "out")


@pytest.mark.parametrize("name", ["x" * 256, "/".join(["x" * 200] * 30)])
def test_a_name_that_no_file_can_have_is_the_archives_fault(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="File name too long"):
        unpack(tar(tmp_path / "a", "w", **{name: "x"}), tmp_path / "out")


@pytest.mark.parametrize("target", ["", "x" * 5000])
def test_a_link_that_cannot_be_made_is_the_archives_fault(tmp_path: Path, target: str) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, target
        archive.addfile(member)
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")
