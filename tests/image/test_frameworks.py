"""The callbacks for Lightning and transformers, tried with the real packages."""

import pytest

from tests.harness.trainer import Trainer

pytestmark = pytest.mark.image

FRAMEWORKS = [("with_lightning.py", 2), ("with_transformers.py", 1)]
INTERVALS = {"with_lightning.py": 12, "with_transformers.py": 15}
"""Steps between two saves, so that there is one before the death. Lightning begins an epoch's data
anew when it resumes in the middle of one: its save is at the end of one, of four steps here."""


@pytest.mark.parametrize(("script", "processes"), FRAMEWORKS)
def test_a_killed_training_resumes_and_ends_like_one_that_was_not_disturbed(
    trainer: Trainer, script: str, processes: int
) -> None:
    undisturbed = trainer.train(script, processes, SLIPWAY_CHECKPOINT_INTERVAL_STEPS="1000")
    assert undisturbed.code == 0, undisturbed.log
    assert undisturbed.said("begin") == ["fresh"] * processes
    end = trainer.report()
    assert (end["step"], end["totalSteps"], end["epoch"]) == (40, 40, 40 // (8 // processes))
    assert end["metrics"]["loss"] > 0
    every = INTERVALS[script]
    interval = {"SLIPWAY_CHECKPOINT_INTERVAL_STEPS": str(every)}
    assert trainer.train(script, processes, DIE_AT="23", **interval).code != 0
    resumed = trainer.train(script, processes, **interval)
    (begin,) = {line[:17] for line in resumed.said("begin")}
    assert begin == f"step-{every:012}"
    assert resumed.said("end") == undisturbed.said("end") != []
    assert resumed.said("weights") == undisturbed.said("weights") != []


@pytest.mark.parametrize(("script", "processes"), FRAMEWORKS)
def test_a_criterion_of_the_spec_ends_the_training_early(
    trainer: Trainer, script: str, processes: int
) -> None:
    ended = trainer.train(script, processes, SLIPWAY_STOP='{"maxEpochs": 2}')
    assert ended.code == 0, ended.log
    assert trainer.report()["stopReason"] == "MaxEpochs"
    assert int(ended.said("end")[0].split()[0]) < 40
