"""Hostile scripts, archives and checkpoints, before a pod's programs."""

import io
import json
import os
import pickle
import socket
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from slipway_pods.agent import upload
from slipway_pods.agent.checkpoint_store import Archive, LostError
from slipway_pods.bring.archive import ArchiveError, unpack
from slipway_pods.store import manifest, store
from slipway_runtime.checkpoint import reading
from slipway_runtime.checkpoint.reading import DescriptionUnpickler
from tests.harness.s3 import S3Server
from tests.unit.runtime.saves import OWNER, save

OWN = "outputs/attacker/net/uid"
MODEL = "models/victim/iris/uid/iris-1.0.mar"
KEY = "the operator's key"
"""What lies outside of the script's folder, and in the agent's environment."""


@pytest.fixture
def victims(s3: S3Server) -> Iterator[S3Server]:
    """A store with a victim's model, which is there and readable after the test as before."""
    store.put_bytes(b"weights", f"s3://slipway/{MODEL}")
    yield s3
    assert s3.keys("models") == {MODEL.removeprefix("models/")}
    assert store.get_bytes(f"s3://slipway/{MODEL}", 100) == b"weights"


def linked(target: str) -> Callable[[Path], None]:
    return lambda output: (output / "stolen").symlink_to(target)


def chained(output: Path) -> None:
    (output / "n").symlink_to(".")
    (output / "up").symlink_to("n/n/n/../secret")


def piped(output: Path) -> None:
    os.mkfifo(output / "pipe")


def bound(output: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(output / "sock"))


def named(name: str) -> Callable[[Path], None]:
    def write(output: Path) -> None:
        (output / name).write_text("EVIL")

    return write


def marked(output: Path) -> None:
    entry = {"path": f"../../../../{MODEL}", "sizeBytes": 4, "sha256": "0" * 64}
    (output / "_manifest.json").write_text(json.dumps({"files": [entry]}))


SCRIPTS: dict[str, Callable[[Path], None]] = {
    "a link to the agent's files": linked("../secret"),
    "a link to the agent's environment": linked("/proc/self/environ"),
    "a link to the agent's memory": linked("/proc/self/mem"),
    "a link to a folder of the agent's": linked(".."),
    "a link to the node's users": linked("/etc/passwd"),
    "links that only together lead out": chained,
    "a pipe that nobody writes to": piped,
    "a socket": bound,
    "a manifest of its own": marked,
    "a name of encoded dots": named("%2e%2e%2f%2e%2e%2fmodels%2fvictim"),
    "a name of backslashes": named("..\\..\\models"),
    "a name with a line break": named("x\ny"),
    "a name with a query": named("x?uploads"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_scripts_output_holds_nothing_but_its_own(
    victims: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setenv("AWS_OF_THE_AGENT", KEY)
    (tmp_path / "secret").write_text(KEY)
    output = tmp_path / "output"
    output.mkdir()
    (output / "model.pt").write_text("own")
    SCRIPTS[script](output)
    told = ""
    try:
        upload.upload(output, f"s3://slipway/{OWN}")
    except manifest.OutputError as error:
        told = str(error)
    keys = victims.keys(OWN)
    assert ("model.pt" in keys) or told
    assert all(KEY.encode() not in victims.read(f"{OWN}/{key}") for key in keys)
    assert all(b"root:" not in victims.read(f"{OWN}/{key}") for key in keys)
    assert {key.partition("/")[0] for key in victims.keys("")} <= {"models", "outputs"}


Add = Callable[[tarfile.TarFile], None]


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> Add:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = kind, target, mode
        member.size = 4 if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(b"EVIL"))

    return add


TARS: dict[str, tuple[Add, ...]] = {
    "a name that leads up": (entry("../victim"),),
    "an absolute name": (entry("/tmp/slipway-evil"),),
    "a file through a link": (entry("l", tarfile.SYMTYPE, ".."), entry("l/victim")),
    "a file through an absolute link": (
        entry("l", tarfile.SYMTYPE, "/tmp"),
        entry("l/slipway-evil"),
    ),
    "a file in the place of a link": (entry("l", tarfile.SYMTYPE, "../victim"), entry("l")),
    "a hard link to what lies outside": (entry("l", tarfile.LNKTYPE, "../victim"), entry("l")),
    "a hard link to a link": (
        entry("l", tarfile.SYMTYPE, "../victim"),
        entry("h", tarfile.LNKTYPE, "l"),
        entry("h"),
    ),
    "a device of the node": (entry("disk", tarfile.BLKTYPE),),
    "a pipe": (entry("pipe", tarfile.FIFOTYPE),),
    "a program that runs as another": (entry("su", mode=0o6755),),
}


def unpacked(archive: Path, folder: Path) -> None:
    """Unpack an archive; whether it is refused, or only a part of it, is its own business."""
    with suppress(ArchiveError):
        unpack(archive, folder)


@pytest.mark.parametrize("attack", TARS)
def test_an_archive_writes_nothing_outside_and_makes_nothing_special(
    tmp_path: Path, attack: str
) -> None:
    (tmp_path / "victim").write_text("victim's")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for add in TARS[attack]:
            add(archive)
    unpacked(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "victim").read_text() == "victim's"
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["a.tar", "out", "victim"],
        ["a.tar", "victim"],
    )
    assert not Path("/tmp/slipway-evil").exists()
    for path in (tmp_path / "out").rglob("*"):
        assert path.resolve().is_relative_to(tmp_path / "out")
        assert path.is_dir() or path.is_file()
        assert path.stat().st_mode & 0o6000 == 0


@pytest.mark.parametrize("name", ["../victim", "/tmp/slipway-evil", "a/../../victim", "..\\victim"])
def test_a_zip_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("victim's")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "EVIL")
    unpacked(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "victim").read_text() == "victim's"
    assert not Path("/tmp/slipway-evil").exists()


MARKS: dict[str, dict[str, Any]] = {
    "a file that leads up": {"path": "node-0/../../../victim"},
    "an absolute file": {"path": "/tmp/slipway-evil"},
    "a file of the agent's next program": {"path": "node-0/../json.py"},
    "a size beyond any disk": {"sizeBytes": 10**30},
    "a digest that is a list": {"sha256": ["0"]},
}


@pytest.mark.parametrize("attack", MARKS)
def test_a_checkpoint_that_names_other_places_is_not_restored(
    victims: S3Server, tmp_path: Path, attack: str
) -> None:
    (tmp_path / "victim").write_text("victim's")
    uri = "s3://slipway/checkpoints/attacker/net/uid"
    archive = Archive(uri, OWNER, keep=2, own_only=False, patience=9)
    said = save(tmp_path / "save", 10)
    archive.put(tmp_path / "save" / said.name, said)
    whole = archive.commit(said, lambda: True)
    assert whole
    whole["files"][0] |= MARKS[attack]
    store.put_bytes(json.dumps(whole).encode(), f"{uri}/{said.name}/_manifest.json")
    target = tmp_path / "restore" / "it"
    newest = Archive(uri, OWNER, keep=2, own_only=False, patience=9).newest()
    if newest is not None:
        with pytest.raises(LostError):
            archive.fetch(newest, None, target)
    assert (tmp_path / "victim").read_text() == "victim's"
    assert not Path("/tmp/slipway-evil").exists()
    assert not (tmp_path / "restore" / "json.py").exists()


class Runs:
    """Pickles as a command that leaves a file."""

    def __init__(self, *call: Any) -> None:
        self._call = call

    def __reduce__(self) -> tuple[Any, Any]:
        return self._call[0], self._call[1:]


@pytest.mark.parametrize("how", ["system", "exec", "open", "popen"])
def test_a_checkpoints_description_runs_nothing(tmp_path: Path, how: str) -> None:
    mark = tmp_path / "pwned"
    value = {
        "system": Runs(os.system, f"touch {mark}"),
        "exec": Runs(exec, f"open({str(mark)!r}, 'w')"),
        "open": Runs(open, str(mark), "w"),
        "popen": Runs(subprocess.check_call, ["touch", str(mark)]),
    }[how]
    with pytest.raises(pickle.UnpicklingError):
        DescriptionUnpickler(io.BytesIO(pickle.dumps({"state": value}))).load()
    assert not mark.exists()


class Described:
    """Stands for a class of checkpoints' descriptions."""

    greeting = "hello"


def with_state(named: str, made: bytes, state: Any) -> bytes:
    """Return a pickle that names a class, does ``made``, and sets a state (BUILD)."""
    module, _, name = named.rpartition(".")
    states = pickle.dumps(state, 2)[2:-1]
    return b"\x80\x02c%s\n%s\n%s%sb." % (module.encode(), name.encode(), made, states)


NEW = b")\x81"
"""Makes an object of the class that is named: an empty tuple, and NEWOBJ."""


@pytest.mark.parametrize("state", [{"greeting": "evil"}, (None, {"greeting": "evil"})])
def test_a_state_is_set_on_an_object_and_never_on_a_class(
    monkeypatch: pytest.MonkeyPatch, state: Any
) -> None:
    monkeypatch.setitem(reading._ALLOWED, __name__, {"Described"})
    named = f"{__name__}.Described"
    made = DescriptionUnpickler(io.BytesIO(with_state(named, NEW, state))).load()
    assert (made.greeting, Described.greeting) == ("evil", "hello")
    with pytest.raises((pickle.UnpicklingError, TypeError, AttributeError)):
        DescriptionUnpickler(io.BytesIO(with_state(named, b"", state))).load()
    assert Described.greeting == "hello"
    assert Described().greeting == "hello"


@pytest.mark.parametrize("name", ["joinpath", "__fspath__", "parts"])
def test_no_state_changes_what_the_script_itself_uses(name: str) -> None:
    was = getattr(PurePosixPath, name)
    evil = with_state("pathlib.PurePosixPath", b"", (None, {name: "evil"}))
    with suppress(pickle.UnpicklingError, TypeError, AttributeError):
        DescriptionUnpickler(io.BytesIO(evil)).load()
    assert getattr(PurePosixPath, name) is was
