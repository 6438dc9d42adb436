"""A requirements file is installed once, by the real pip, from wheels alone."""

import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from slipway_pods.package import requirements
from slipway_pods.package.requirements import Installed
from slipway_runtime.checks.package_code import PackageError
from tests.harness.ports import free_port
from tests.unit.runtime.wheels import make_wheel


class Bench:
    """A folder with wheels, and what pip makes of a requirements file beside it."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.beside = folder / "beside"
        self.wheels = self.beside / "wheels"
        self.wheels.mkdir(parents=True)
        self._folder, self._python, self._runs = folder, python, 0

    def install(self, text: str) -> Installed:
        self._runs += 1
        scratch = self._folder / f"scratch{self._runs}"
        scratch.mkdir()
        file = self._folder / "requirements.txt"
        file.write_text(text)
        return requirements.install(file, self.beside, scratch, python=self._python)


@pytest.fixture
def bench(tmp_path: Path, pip_python: Path) -> Bench:
    return Bench(tmp_path, pip_python)


OFFLINE = "--no-index\n--find-links wheels\n"


def content(installed: Installed) -> dict[str, bytes]:
    files = (path for path in installed.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(installed.folder)): path.read_bytes() for path in files}


def test_packages_and_what_they_need_are_installed_without_an_index(bench: Bench) -> None:
    make_wheel(bench.wheels, "outer", "2.0", needs=("inner>=1",))
    make_wheel(bench.wheels, "inner", "1.5")
    installed = bench.install(f"{OFFLINE}outer\n")
    files = content(installed)
    assert files["outer/__init__.py"] == b"WORD = '2.0'\n"
    assert files["inner/__init__.py"] == b"WORD = '1.5'\n"
    assert files["requirements.txt"].endswith(b"outer\n")
    assert [(one["name"], one["version"]) for one in installed.packages] == [
        ("inner", "1.5"),
        ("outer", "2.0"),
    ]
    assert all(len(one["sha256"]) == 64 for one in installed.packages)


def test_the_same_wheels_give_the_same_files(bench: Bench) -> None:
    make_wheel(bench.wheels, "outer")
    text = f"{OFFLINE}outer==1.0\n"
    first, second = content(bench.install(text)), content(bench.install(text))
    assert first == second
    assert not any("__pycache__" in name or name.startswith("pip") for name in first)


def test_what_the_torch_layer_has_is_left_out(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = metadata.version("packaging")
    lock = tmp_path / "torch.lock"
    twice = f"packaging==1 ; python_version < '3'\npackaging=={known} \\\n    --hash=sha256:0\n"
    lock.write_text(f"{twice}slipway-for-another-python==1\n")
    monkeypatch.setattr(requirements, "TORCH_LOCK", lock)
    make_wheel(bench.wheels, "outer", needs=("packaging",))
    installed = bench.install(f"{OFFLINE}outer\n")
    assert [one["name"] for one in installed.packages] == ["outer"]
    assert not [name for name in content(installed) if name.startswith("packaging")]


def test_another_version_than_the_torch_layers_is_installed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "torch.lock"
    lock.write_text("packaging==0\n")
    monkeypatch.setattr(requirements, "TORCH_LOCK", lock)
    make_wheel(bench.wheels, "packaging", "1.0")
    files = content(bench.install(f"{OFFLINE}packaging==1.0\n"))
    assert "packaging/__init__.py" in files
    assert {name.split("/")[0] for name in files if ".dist-info/" in name} == {
        "packaging-1.0.dist-info"
    }


def test_a_package_that_is_not_there_is_told_with_pips_last_lines(bench: Bench) -> None:
    with pytest.raises(PackageError) as raised:
        bench.install(f"{OFFLINE}nowhere\n")
    assert raised.value.reason == "RequirementsFailed"
    assert "AtStart" in str(raised.value)
    assert "No matching distribution found for nowhere" in raised.value.log_tail


def test_an_index_that_does_not_answer_is_told_as_such(bench: Bench) -> None:
    with pytest.raises(PackageError) as raised:
        bench.install(f"--index-url http://127.0.0.1:{free_port()}/simple\nouter\n")
    assert raised.value.reason == "IndexUnreachable"
    assert "NetworkPolicies" in str(raised.value)


def test_pip_sees_nothing_of_this_programs_variables(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script = bench.beside / "python"
    script.write_text(f"#!/bin/sh\nenv > {told}\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    file = tmp_path / "requirements.txt"
    file.write_text("outer\n")
    with pytest.raises(PackageError):
        requirements.install(file, bench.beside, scratch, python=script)
    assert "secret" not in told.read_text()


def test_a_source_distribution_does_not_run_its_code(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "told"
    folder = tmp_path / "evil-1.0"
    folder.mkdir()
    (folder / "setup.py").write_text(f"open({str(told)!r}, 'w').close()\n")
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    with tarfile.open(bench.wheels / "evil-1.0.tar.gz", "w:gz") as archive:
        archive.add(folder, "evil-1.0")
    with pytest.raises(PackageError) as raised:
        bench.install(f"{OFFLINE}evil\n")
    assert raised.value.reason == "RequirementsFailed"
    assert not told.exists()
