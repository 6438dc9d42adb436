"""Training on a GPU: NCCL, checkpoints of the GPU's memory, and what the GPU's own gauges tell."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from slipway_runtime.launcher.commands import COUNT_DEVICES
from tests.harness.trainer import Outcome, Trainer

EXAMPLES = Path(__file__).parents[2] / "examples"
HERE = Path(__file__).parent
FRAMEWORKS = {"with_lightning.py": "16", "with_transformers.py": "15"}
"""Scripts by the steps between two saves, so that there is one before the death. Lightning resumes
well only at the end of an epoch, of eight steps here."""


def well(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.log
    return outcome


def test_as_many_processes_are_begun_as_there_are_gpus() -> None:
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    told = subprocess.run([sys.executable, "-c", COUNT_DEVICES], capture_output=True, text=True)
    assert int(told.stdout) == len(listed.stdout.splitlines()) > 0


def test_a_killed_training_ends_bit_for_bit_like_one_that_was_not_disturbed(
    trainer: Trainer,
) -> None:
    undisturbed = well(trainer.train("shards.py", 1, SLIPWAY_CHECKPOINT_INTERVAL_STEPS="1000"))
    assert trainer.train("shards.py", 1, DIE_AT="13").code != 0
    resumed = well(trainer.train("shards.py", 1))
    assert resumed.said("begin") == ["10 after 10 10"]
    assert resumed.said("weights") == undisturbed.said("weights") != []


def test_a_pod_that_must_stop_saves_the_step(trainer: Trainer) -> None:
    stopped = trainer.train("shards.py", 1, STOP_AT="4")
    assert "exitcode  : 143" in stopped.log
    assert well(trainer.train("shards.py", 1, STEPS="5")).said("begin") == ["4 after 4 4"]


def test_what_was_saved_on_the_gpu_resumes_on_the_cpu(trainer: Trainer) -> None:
    saved = well(trainer.train("shards.py", 1, STEPS="7", SAVE_AT="7"))
    resumed = well(trainer.train("shards.py", 1, STEPS="7", SLIPWAY_BACKEND="gloo"))
    assert resumed.said("begin") == ["7 after 7 7"]
    (on_gpu,), (on_cpu,) = (
        [float.fromhex(line.split()[0]) for line in one.said("weights")] for one in (saved, resumed)
    )
    assert on_cpu == pytest.approx(on_gpu, abs=1e-6)


def test_the_training_goes_on_while_what_it_saved_stays_as_it_was(trainer: Trainer) -> None:
    trainer.scripts = HERE / "scripts"
    ended = well(trainer.train("heavy.py", 1, SAVE_AT="10,20"))
    saves = [line.split() for line in ended.said("saved")]
    print(f"A save of 1.6 GB kept the training waiting for {[line[2] for line in saves]} s.")
    assert [line[0] for line in saves] == ["10", "20"]
    assert ended.said("end") != [saves[-1][1]]
    restored = well(trainer.train("heavy.py", 1))
    assert restored.said("restored") == [f"20 {saves[-1][1]}"]


def test_reports_tell_the_gpus_memory_and_use(trainer: Trainer) -> None:
    trainer.scripts = HERE / "scripts"
    well(trainer.train("heavy.py", 1, SAVE_AT="30"))
    gpu = trainer.report()["gpu"]
    assert 2e9 < gpu["memoryUsedBytes"] < gpu["memoryTotalBytes"]
    assert 0 < gpu["utilization"] <= 1


@pytest.mark.parametrize("script", FRAMEWORKS)
def test_a_frameworks_training_resumes_like_one_that_was_not_disturbed(
    trainer: Trainer, script: str
) -> None:
    undisturbed = well(trainer.train(script, 1, SLIPWAY_CHECKPOINT_INTERVAL_STEPS="1000"))
    interval = {"SLIPWAY_CHECKPOINT_INTERVAL_STEPS": FRAMEWORKS[script]}
    assert trainer.train(script, 1, DIE_AT="23", **interval).code != 0
    resumed = well(trainer.train(script, 1, **interval))
    assert undisturbed.said("begin") == ["fresh"]
    assert [line[:17] for line in resumed.said("begin")] == [f"step-{int(FRAMEWORKS[script]):012}"]
    assert resumed.said("weights") == undisturbed.said("weights") != []


@pytest.mark.parametrize("example", ["single", "ddp", "fsdp2", "resume", "elastic"])
def test_an_example_trains_on_the_gpu_as_it_is(
    trainer: Trainer, folder: Path, example: str
) -> None:
    manifests = yaml.safe_load_all((EXAMPLES / example / "trainingjob.yaml").read_text())
    objects = {one["kind"]: one for one in manifests}
    spec = objects["TrainingJob"]["spec"]
    trainer.scripts, output = folder / "example", folder / "output"
    trainer.scripts.mkdir()
    output.mkdir()
    for name, text in objects["ConfigMap"]["data"].items():
        (trainer.scripts / name).write_text(text)
    told = {one["name"]: one["value"] for one in spec.get("env", ())}
    told.update(SECONDS_PER_STEP="0", SLIPWAY_OUTPUT_DIR=str(output), SLIPWAY_ATTEMPT="0")
    well(trainer.train(spec["entrypoint"], 1, **told))
    assert trainer.report()["gpu"]["memoryUsedBytes"] > 0
    assert list(output.iterdir())


def test_the_quickstart_trains_on_the_gpu_and_leaves_weights_that_any_machine_can_load(
    trainer: Trainer, folder: Path
) -> None:
    trainer.scripts, output = EXAMPLES / "quickstart" / "src", folder / "output"
    output.mkdir()
    well(trainer.train("train.py", 1, SLIPWAY_OUTPUT_DIR=str(output)))
    report = trainer.report()
    assert report["gpu"]["memoryUsedBytes"] > 0
    assert report["metrics"]["r2"] > 0.3
    weights = torch.load(output / "model.pt")
    assert {one.device.type for one in weights.values()} == {"cpu"}
