"""What a Go program is built from, and so when it is built again."""

import shutil
from pathlib import Path

import pytest

from dev import gotools, paths

SHARING = ("kube-apiserver", "kubelet", "coredns", "helm", "metrics-server")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of dev/tools, from which programs are built."""
    copy = tmp_path / "tools"
    shutil.copytree(paths.TOOL_MODULES, copy)
    monkeypatch.setattr(paths, "TOOL_MODULES", copy)
    return copy


def changed(before: dict[str, Path]) -> set[str]:
    return {program for program, path in before.items() if gotools.path(program) != path}


def all_paths() -> dict[str, Path]:
    return {name: gotools.path(name) for module in gotools.MODULES for name in module.programs}


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_what_shares_a_go_mod_is_built_again_when_it_changes_and_nothing_else(
    modules: Path, file: str
) -> None:
    before = all_paths()
    with (modules / "kubernetes" / file).open("a") as pins:
        pins.write("\n")
    assert changed(before) >= set(SHARING)
    assert not changed(before) & {"etcd", "slipway-store", "pause", "kwok"}


def test_a_change_of_our_own_program_builds_none_of_those_beside_it_again(modules: Path) -> None:
    before = all_paths()
    with (modules / "kubernetes" / "coredns" / "main.go").open("a") as source:
        source.write("// more\n")
    assert changed(before) == {"coredns"}


def test_each_go_file_and_each_folder_belongs_to_a_program() -> None:
    used = {file for module in gotools.MODULES for file in module.files}
    there = {file for file in paths.TOOL_MODULES.rglob("*") if file.is_file()}
    assert used == there


def test_no_two_programs_lie_at_one_place() -> None:
    places = all_paths()
    assert len(set(places.values())) == len(places)
