"""The Warning of a named object that is not there waits; all others do not."""

import pytest

from slipway.observed.missing import GRACE_SECONDS, grace_seconds
from slipway.serving import reasons as serving
from slipway.training import reasons as training

REFUSED = 'pods "a" is forbidden: error looking up service account demo/bot: serviceaccount "bot"'


@pytest.mark.parametrize(
    ("reason", "message", "waits"),
    [
        ("TrainingJobNotFound", "There is no TrainingJob iris.", True),
        ("SecretNotFound", "the Secret keys: create it", True),
        ("Unschedulable", 'No node can take the pod: persistentvolumeclaim "d" not found.', True),
        ("PodsRefused", f"The pods are refused: {REFUSED} not found", True),
        ("PodsRefused", "The pods are refused: by a policy", False),
        ("Unschedulable", "No node can take the pod: 0/3 nodes: Insufficient cpu.", False),
        ("ModelNotFound", "Nothing lies at s3://models/iris.mar.", False),
        ("TrainingJobFailed", "TrainingJob iris failed and made no package.", False),
    ],
)
def test_the_warning_of_a_named_object_alone_waits(reason: str, message: str, waits: bool) -> None:
    for missing in (serving.NOT_THERE, training.NOT_THERE):
        assert grace_seconds(reason, message, missing) == (GRACE_SECONDS if waits else 0.0)


def test_all_that_waits_is_a_warning_in_the_end() -> None:
    assert serving.NOT_THERE <= serving.WARNINGS
    assert training.NOT_THERE <= training.PROBLEMS
