"""The end of a script, in an image with torch."""

import pytest

from tests.harness.trainer import Trainer

pytestmark = pytest.mark.image


def test_a_script_ends_well_while_its_last_messages_are_still_held(trainer: Trainer) -> None:
    for _ in range(3):
        ended = trainer.train("last_messages.py", 1)
        assert ended.code == 0, ended.log
