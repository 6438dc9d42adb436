"""Saving and restoring with Torch Distributed Checkpoint, in an image with torch."""

import pytest

from tests.harness.trainer import Trainer

pytestmark = pytest.mark.image


def test_a_killed_training_ends_bit_for_bit_like_one_that_was_not_disturbed(
    trainer: Trainer,
) -> None:
    undisturbed = trainer.train("shards.py", 2, SLIPWAY_CHECKPOINT_INTERVAL_STEPS="1000")
    killed = trainer.train("shards.py", 2, DIE_AT="13")
    assert killed.code != 0
    resumed = trainer.train("shards.py", 2)
    assert sorted(resumed.said("begin")) == ["10 after 10 10"] * 2
    assert resumed.said("weights") == undisturbed.said("weights") != []


def test_another_number_of_processes_resumes_with_the_same_weights_and_moments(
    trainer: Trainer,
) -> None:
    saved = trainer.train("shards.py", 2, STEPS="7", SAVE_AT="7")
    resumed = trainer.train("shards.py", 1, STEPS="7")
    assert resumed.said("begin") == ["7 after 7 7"]
    assert resumed.said("weights") == saved.said("weights") != []


def test_a_pod_that_must_stop_saves_the_step_and_ends_with_its_own_code(trainer: Trainer) -> None:
    stopped = trainer.train("shards.py", 2, STOP_AT="4")
    assert stopped.code != 0
    assert "exitcode  : 143" in stopped.log
    resumed = trainer.train("shards.py", 1, STEPS="5")
    assert resumed.said("begin") == ["4 after 4 4"]


def test_a_checkpoint_that_somebody_else_wrote_over_is_refused_and_runs_nothing(
    trainer: Trainer,
) -> None:
    done = trainer.train("hostile.py", 1)
    assert done.code == 0, done.log
    assert done.said("honest") == ["saved True"]
    refused = done.said("description")
    assert len(refused) == 4
    for told in refused:
        assert told.startswith("The checkpoint is refused: its description cannot be read (")
        assert told.endswith(" False")
    (value,) = done.said("value")
    assert value.startswith("The checkpoint is refused: its value 'note' is no plain value.")
    assert value.endswith(" False")
    assert done.said("random") == ["False"]
