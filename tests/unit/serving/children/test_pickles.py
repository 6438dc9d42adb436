"""What lets a handler load a pickle: the deployment alone."""

import pytest

from slipway.serving.children.pod.runtimes import PYTHON, TORCHSERVE, Runtime
from tests.unit.serving.children.test_in_force import deployment

ALLOWED = {"name": "SLIPWAY_ALLOW_PICKLED_MODELS", "value": "true"}


@pytest.mark.parametrize("runtime", [TORCHSERVE, PYTHON])
def test_servers_are_told_that_they_may_load_a_pickle_where_the_deployment_says_so(
    runtime: Runtime,
) -> None:
    own = {"name": "LEVEL", "value": "1"}
    made = deployment(env=[own])
    assert runtime.variables(made)["env"] == [own]
    model = made.spec.model.model_copy(update={"allow_pickle": True})
    allowed = made.model_copy(update={"spec": made.spec.model_copy(update={"model": model})})
    assert runtime.variables(allowed)["env"] == [own, ALLOWED]


def test_a_deployment_allows_no_pickle_unless_it_says_so() -> None:
    assert not deployment().spec.model.allow_pickle
