import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from slipway_pods.package.mar import ArchiveError, Contents, build


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def contents(folder: Path) -> Contents:
    extra = folder / "extra"
    write(extra, "labels.txt", "a b")
    write(extra / "deep", "more.txt", "c")
    return Contents(
        model_name="net",
        model_version="2.1",
        serialized_file=write(folder, "model.pt", "weights" * 1000),
        handler=write(folder, "handler.py", "class Handler: ..."),
        model_file=write(folder, "model.py", "class Net: ..."),
        extra=extra,
        requirements_file=write(folder, "requirements.txt", "numpy"),
        config_file=write(folder, "model-config.yaml", "batchSize: 4"),
    )


def made(folder: Path) -> Path:
    (folder / "out").mkdir(parents=True)
    return build(contents(folder / "in"), folder / "out")


def test_two_runs_at_other_times_and_umasks_and_in_other_folders_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(tmp_path / "first").read_bytes()
    before = os.umask(0o077)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        second = made(tmp_path / "a" / "longer" / "path")
        for path in (tmp_path / "a").rglob("*.p*"):
            os.utime(path, (1, 1))
        third = build(contents(tmp_path / "third"), second.parent)
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert first == second.read_bytes() == third.read_bytes()


def test_the_archive_holds_all_files_and_torchserves_manifest(tmp_path: Path) -> None:
    with zipfile.ZipFile(made(tmp_path)) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        assert archive.read("deep/more.txt") == b"c"
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
    assert names == sorted(names)
    assert manifest["createdOn"] == "01/01/1980 00:00:00"
    assert manifest["model"] == {
        "modelName": "net",
        "serializedFile": "model.pt",
        "handler": "handler.py",
        "modelFile": "model.py",
        "modelVersion": "2.1",
        "requirementsFile": "requirements.txt",
        "configFile": "model-config.yaml",
    }


def test_no_entry_needs_a_data_descriptor_which_java_refuses_for_stored_entries(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(made(tmp_path)) as archive:
        assert not any(entry.flag_bits & 0x08 for entry in archive.infolist())


def test_a_built_in_handler_is_named_and_no_file(tmp_path: Path) -> None:
    given = Contents("net", "1.0", write(tmp_path, "model.pt", "w"), "image_classifier")
    with zipfile.ZipFile(build(given, tmp_path)) as archive:
        assert archive.namelist() == ["MAR-INF/MANIFEST.json", "model.pt"]
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
    assert manifest["model"]["handler"] == "image_classifier"


def test_one_file_may_be_handler_and_model(tmp_path: Path) -> None:
    both = write(tmp_path, "net.py", "class Net: ...")
    given = Contents("net", "1.0", write(tmp_path, "model.pt", "w"), both, both)
    with zipfile.ZipFile(build(given, tmp_path)) as archive:
        assert archive.namelist() == ["MAR-INF/MANIFEST.json", "model.pt", "net.py"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    given = Contents(
        "net",
        "1.0",
        write(tmp_path, "model.pt", "w"),
        write(tmp_path / "a", "same.py", "1"),
        write(tmp_path / "b", "same.py", "2"),
    )
    with pytest.raises(ArchiveError, match=r"'same.py'.*rename"):
        build(given, tmp_path)


def test_what_lies_in_the_temporary_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mine = write(tmp_path / "net", "mine.txt", "keep")
    made(tmp_path / "work")
    assert mine.read_text() == "keep"


@pytest.mark.parametrize("name", ["a\\b.txt", "..\\b.txt"])
def test_a_name_that_servers_take_for_different_files_is_refused(tmp_path: Path, name: str) -> None:
    given = contents(tmp_path)
    write(tmp_path / "extra", name, "x")
    with pytest.raises(ArchiveError, match=r"is no name within it.*rename"):
        build(given, tmp_path)
