"""The folder that a training runs in, made from a source that nobody may write."""

from pathlib import Path

import pytest

from slipway_runtime.launcher import working_folder
from slipway_runtime.launcher.run_settings import LaunchError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "rows.csv").write_text("1,2")
    (folder / "train.py").write_text("pass")
    return folder


def test_the_sources_files_are_read_by_their_relative_paths(source: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    working_folder.make(source, work)
    assert (work / "train.py").read_text() == "pass"
    assert (work / "data/rows.csv").read_text() == "1,2"


def test_what_is_written_beside_them_leaves_the_source_as_it_is(
    source: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    working_folder.make(source, work)
    (work / "lightning_logs").mkdir()
    (work / "new.pt").touch()
    (work / "new.pt").replace(work / "train.py")
    assert sorted(path.name for path in source.iterdir()) == ["data", "train.py"]
    assert (source / "train.py").read_text() == "pass"


def test_the_kubelets_own_names_in_a_config_map_are_left_out_and_its_updates_seen(
    tmp_path: Path,
) -> None:
    source, work = tmp_path / "source", tmp_path / "work"
    for version, text in (("..1", "old"), ("..2", "new")):
        (source / version).mkdir(parents=True)
        (source / version / "train.py").write_text(text)
    (source / "..data").symlink_to("..1")
    (source / "train.py").symlink_to("..data/train.py")
    working_folder.make(source, work)
    (source / "..data").unlink()
    (source / "..data").symlink_to("..2")
    assert [path.name for path in work.iterdir()] == ["train.py"]
    assert (work / "train.py").read_text() == "new"


def test_a_container_that_starts_again_finds_what_was_written_before(
    source: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    working_folder.make(source, work)
    (work / "train.py").unlink()
    (work / "train.py").write_text("mine")
    (work / "gone").symlink_to("/no/such/file")
    (source / "gone").touch()
    working_folder.make(source, work)
    assert (work / "train.py").read_text() == "mine"


def test_links_that_lead_nowhere_are_linked_as_they_are(source: Path, tmp_path: Path) -> None:
    (source / "broken").symlink_to("/no/such/file")
    working_folder.make(source, tmp_path / "work")
    assert (tmp_path / "work/broken").is_symlink()


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"spec\.source\.image\.path") as told:
        working_folder.make(tmp_path / "missing", tmp_path / "work")
    assert told.value.reason == "SourceNotFound"


def test_a_folder_that_cannot_be_made_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(LaunchError, match=r"cannot be made .*volumeSizes\.scratch") as told:
        working_folder.make(source, tmp_path / "work")
    assert told.value.reason == "LauncherFailed"
