"""A script's saves on their way through the sidecar's keeper to the store, and back."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime import checkpoint, helper
from slipway_runtime.checkpoint import CheckpointError, Interrupted, files
from slipway_runtime.checkpoint.files import Ledger, read_ledger, write_ledger
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.runtime.saves import OWNER, save

PREFIX = "checkpoints/ns/net/uid"
UID = f"{OWNER}-0000"


class Pod:
    """The folders of a pod, and its keeper as a process of its own."""

    def __init__(self, root: Path, index: int) -> None:
        self.index = index
        self.run, self.save, self.restore = root / "run", root / "save", root / "restore"
        self.agent = root / "agent"
        for folder in (self.run, self.save, self.restore, self.agent):
            folder.mkdir(parents=True)
        self.keeper: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        return {
            "SLIPWAY_RUN_DIR": str(self.run),
            "SLIPWAY_AGENT_DIR": str(self.agent),
            "SLIPWAY_CHECKPOINT_DIR": str(self.save),
            "SLIPWAY_RESTORE_DIR": str(self.restore),
            "SLIPWAY_JOB_UID": UID,
            "JOB_COMPLETION_INDEX": str(self.index),
        }

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.restore)

    def keep(self, **env: str) -> None:
        """Start the keeper, and wait until it answers."""
        (self.agent / files.SOCKET_NAME).unlink(missing_ok=True)
        own = {"SLIPWAY_CHECKPOINT_URI": f"s3://slipway/{PREFIX}", "SLIPWAY_CHECKPOINT_KEEP": "2"}
        command = [sys.executable, "-m", "slipway_pods.agent.checkpoint_agent"]
        self.keeper = subprocess.Popen(command, env={**os.environ, **self.env, **own, **env})
        wait_for((self.agent / files.SOCKET_NAME).exists, 120, "the keeper answers")

    def end(self) -> int:
        """Tell the keeper to end, and wait until it does."""
        assert self.keeper
        self.keeper.send_signal(signal.SIGTERM)
        return self.keeper.wait(timeout=120)

    def wait_for_step(self, step: int) -> None:
        """Wait until a step's checkpoint is valid in the store."""
        wait_for(
            lambda: (self.ledger.committed or {}).get("step") == step, 120, f"step {step} is stored"
        )


@pytest.fixture
def pods(short_dir: Path) -> Iterator[list[Pod]]:
    made = [Pod(short_dir / str(number), number) for number in range(2)]
    yield made
    for pod in made:
        if pod.keeper:
            pod.keeper.kill()
            pod.keeper.wait()


@pytest.fixture
def pod(pods: list[Pod], monkeypatch: pytest.MonkeyPatch) -> Pod:
    """The pod that this process is the script of; nothing is due unless a test says so."""
    for name, value in pods[0].env.items():
        monkeypatch.setenv(name, value)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK", "GROUP_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLIPWAY_CHECKPOINT_INTERVAL_STEPS", "10")
    monkeypatch.setattr(checkpoint, "_saver", None)
    monkeypatch.setattr(helper, "_reporter", None)
    return pods[0]


def write(text: str) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / "weights").write_text(text)

    return put


def saved(step: int, text: str = "weights", *, force: bool = False) -> bool:
    begun = checkpoint.save_files(step, write(text), force=force)
    checkpoint.finish()
    return begun


@pytest.fixture
def resumed(s3: S3Server, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """The pod, with step 10 in the store, and this process as a script that has just begun."""
    pod.keep()
    assert checkpoint.restore_files() == (0, None)
    assert saved(10, "ten")
    pod.wait_for_step(10)
    monkeypatch.setattr(checkpoint, "_saver", None)
    return pod


def test_the_sidecars_user_can_read_a_save_that_is_announced(pod: Pod) -> None:
    def put(folder: Path) -> None:
        (folder / "weights").touch(mode=0o600)

    write_ledger(pod.restore, Ledger())
    assert checkpoint.save_files(10, put)
    checkpoint.finish()
    (folder,) = pod.save.iterdir()
    assert files.announced(folder)
    assert stat.S_IMODE((folder / "weights").stat().st_mode) == 0o640


def test_others_of_the_group_can_write_beside_what_is_stored_in_a_claim(
    pod: Pod, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    pod.keep(SLIPWAY_CHECKPOINT_URI="pvc://shared/net", SLIPWAY_CLAIMS_DIR=str(tmp_path))
    assert saved(10)
    pod.wait_for_step(10)
    folders = [tmp_path / "shared" / "net", *(tmp_path / "shared" / "net").rglob("step-*")]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o775, 0o775]


@pytest.mark.usefixtures("resumed")
def test_a_save_is_stored_and_comes_back_in_a_new_process() -> None:
    step, folder = checkpoint.restore_files()
    assert step == 10
    assert folder
    assert (folder / "weights").read_text() == "ten"


def test_a_save_is_due_once_in_the_interval(pod: Pod) -> None:
    write_ledger(pod.restore, Ledger())
    assert [step for step in range(1, 10) if saved(step)] == []
    assert saved(12)
    write_ledger(pod.restore, Ledger(stored=tuple(p.name for p in pod.save.iterdir())))
    assert not saved(19)
    assert saved(20)


def test_the_next_save_waits_until_the_one_before_is_on_its_way_no_more(pod: Pod) -> None:
    assert saved(10)
    assert not saved(20)
    (first,) = pod.save.iterdir()
    write_ledger(pod.restore, Ledger(stored=(first.name,)))
    assert saved(21)
    assert first not in list(pod.save.iterdir())


def test_a_forced_save_waits_for_nothing(pod: Pod) -> None:
    assert saved(1, force=True)
    assert saved(2, force=True)


def test_after_a_restart_the_interval_goes_on_from_the_restored_step(
    s3: S3Server, pod: Pod, pods: list[Pod]
) -> None:
    save(pods[1].save, 17)
    pods[1].keep()
    pods[1].wait_for_step(17)
    pod.keep()
    checkpoint.restore_files()
    assert not saved(17)
    assert not saved(19)
    assert saved(20)


def test_a_pod_that_stops_saves_at_once_and_ends_the_script(s3: S3Server, pod: Pod) -> None:
    pod.keep()
    saved(1)
    (pod.run / files.STOPPING).touch()
    with pytest.raises(Interrupted) as ended:
        checkpoint.save_files(3, write("three"))
    assert ended.value.code == 143
    assert (pod.run / files.SAVED).exists()
    assert pod.end() == 0
    assert (pod.ledger.committed or {})["step"] == 3


def test_a_pod_that_stops_does_not_save_a_step_twice(pod: Pod) -> None:
    saved(10)
    (pod.run / files.STOPPING).touch()
    with pytest.raises(Interrupted):
        checkpoint.save_files(10, write("again"))
    assert len(list(pod.save.iterdir())) == 1


def test_what_a_killed_save_left_is_never_stored(s3: S3Server, pod: Pod) -> None:
    half = pod.save / str(files.Name(10, OWNER, "00000001"))
    half.mkdir()
    (half / "__0_0.distcp").write_text("half")
    pod.keep()
    saved(11)
    pod.wait_for_step(11)
    assert not half.exists()
    assert not [key for key in s3.keys(PREFIX) if half.name in key]


def test_a_script_that_cannot_write_its_files_hears_why(pod: Pod) -> None:
    def fail(folder: Path) -> None:
        raise OSError("no space left")

    checkpoint.save_files(10, fail)
    with pytest.raises(CheckpointError, match="not written: no space left"):
        checkpoint.save_files(11, write("x"))


def test_a_lost_checkpoint_ends_the_script_with_the_reason(s3: S3Server, pod: Pod) -> None:
    pod.keep(SLIPWAY_CHECKPOINT_PATIENCE_SECONDS="0.1")
    saved(10)
    pod.wait_for_step(10)
    s3.stop()
    saved(20)
    wait_for(lambda: pod.ledger.failure, 120, "the keeper gives up")
    with pytest.raises(CheckpointError, match="The checkpoint of step 20 was not stored"):
        checkpoint.save_files(21, write("x"))
    assert (pod.ledger.committed or {})["step"] == 10


def test_a_restore_waits_for_a_store_that_is_away(s3: S3Server, pod: Pod, pods: list[Pod]) -> None:
    save(pods[1].save, 10)
    pods[1].keep()
    pods[1].wait_for_step(10)
    s3.stop()
    pod.keep()
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(checkpoint.restore_files()[0]))
    thread.start()
    s3.start()
    thread.join(timeout=120)
    assert found == [10]


def test_a_restore_without_an_answer_is_an_error_and_no_fresh_start(s3: S3Server, pod: Pod) -> None:
    s3.stop()
    pod.keep(SLIPWAY_CHECKPOINT_PATIENCE_SECONDS="0.1")
    with pytest.raises(CheckpointError, match="cannot be restored"):
        checkpoint.restore_files()


def test_a_restore_that_the_disk_refuses_says_why_at_once(resumed: Pod) -> None:
    assert resumed.ledger.committed
    resumed.restore.joinpath(resumed.ledger.committed["name"]).write_text("in the way")
    with pytest.raises(CheckpointError, match=r"cannot be restored\. .*File exists"):
        checkpoint.restore_files()


def test_two_nodes_parts_make_one_checkpoint(s3: S3Server, pods: list[Pod]) -> None:
    for node, pod in enumerate(pods):
        pod.keep()
        save(pod.save, 10, node=node, nodes=2)
    pods[0].wait_for_step(10)
    assert "__1_0.distcp" in {Path(key).name for key in s3.keys(PREFIX)}
    assert pods[1].ledger.committed is None
    assert pods[1].ledger.stored


def test_pods_that_stop_wait_for_each_others_last_parts(s3: S3Server, pods: list[Pod]) -> None:
    for node, pod in enumerate(pods):
        save(pod.save, 10, node=node, nodes=2, final=True)
    pods[0].keep()
    wait_for(lambda: pods[0].ledger.stored, 120, "the first part is stored")
    assert pods[0].keeper
    pods[0].keeper.send_signal(signal.SIGTERM)
    pods[1].keep()
    assert pods[0].keeper.wait(timeout=120) == 0
    assert (pods[0].ledger.committed or {})["step"] == 10


def test_a_later_save_makes_a_wait_for_a_lost_part_pointless(s3: S3Server, pods: list[Pod]) -> None:
    save(pods[0].save, 10, node=0, nodes=2, began=1.0)
    pods[0].keep()
    wait_for(lambda: pods[0].ledger.stored, 120, "the first part is stored")
    save(pods[0].save, 20, node=0, nodes=1, began=2.0)
    pods[0].wait_for_step(20)


def test_a_save_of_more_nodes_than_the_job_may_have_costs_itself_alone(
    s3: S3Server, pods: list[Pod]
) -> None:
    for node, pod in enumerate(pods):
        save(pod.save, 10, node=node, nodes=3, began=1.0)
        save(pod.save, 20, node=node, nodes=2, began=2.0)
        pod.keep(SLIPWAY_MOST_NODES="2")
    pods[0].wait_for_step(20)
    assert {key.removeprefix(f"{PREFIX}/")[:17] for key in s3.keys(PREFIX)} == {"step-000000000020"}
    assert all(len(pod.ledger.stored) == 1 for pod in pods)


def test_a_keeper_that_is_killed_goes_on_where_it_was(s3: S3Server, pods: list[Pod]) -> None:
    pod = pods[0]
    for step in range(1, 6):
        parts: dict[str, Any] = {f"part{number}": "x" for number in range(20)}
        save(pod.save, step, began=float(step), **parts)
    pod.keep()
    wait_for(lambda: s3.keys(PREFIX), 120, "something is stored")
    assert pod.keeper
    pod.keeper.kill()
    pod.keeper.wait()
    pod.keep()
    pod.wait_for_step(5)
    assert pod.end() == 0
    valid = {key for key in s3.keys(PREFIX) if key.endswith("_manifest.json")}
    assert len(valid) == 2


def test_without_checkpoints_in_the_spec_nothing_is_saved_or_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SLIPWAY_CHECKPOINT_DIR", raising=False)
    monkeypatch.setattr(checkpoint, "_saver", None)
    assert checkpoint.save(10, {}) is False
    assert checkpoint.restore({}) == 0
    checkpoint.finish()
