"""How many requests TorchServe gets at a time, which it computes even if nobody waits any more."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.serving.children.pod.in_force import (
    in_force,
    most_at_once,
    most_waiting,
    queue_size,
)

SHA = "ab" * 32


def deployment(**server: Any) -> ModelDeployment:
    spec = {"model": {"uri": "s3://a/b.mar", "sha256": SHA}, "server": server}
    metadata = {"name": "iris", "namespace": "default", "uid": "u", "generation": 1}
    return ModelDeployment.model_validate({"metadata": metadata, "spec": spec})


def model(config: dict[str, Any] | None) -> ModelStatus:
    known = {"name": "iris", "uri": "s3://a/b.mar", "sha256": SHA, "config": config}
    return ModelStatus.model_validate(known)


def test_a_model_without_batches_gets_few_at_a_time() -> None:
    assert most_at_once(deployment(), model({})) == 8
    assert most_at_once(deployment(workers=8), model({})) == 16


def test_batches_are_filled_twice() -> None:
    assert most_at_once(deployment(workers=2), model({"batchSize": 32})) == 128
    assert most_at_once(deployment(batchSize=64), model(None)) == 128


def test_batches_that_only_the_archive_knows_are_filled_too() -> None:
    assert most_at_once(deployment(), model(None)) == 100


def test_a_container_of_the_users_gets_as_many_as_its_user_says_whatever_an_archive_does() -> None:
    container = {"image": "mine:1", "maxConcurrentRequests": 7}
    made = deployment(runtime="Container", container=container)
    archive = model({"batchSize": 64, "responseTimeout": 9, "jobQueueSize": 3})
    assert (most_at_once(made, archive), most_waiting(made, archive)) == (7, 4000)
    holds = in_force(made, archive)
    assert (holds.batch_size, holds.response_timeout_seconds) == (None, 120)


COUNTS = st.none() | st.integers(1, 4096)


@given(st.integers(1, 64), COUNTS, COUNTS, COUNTS)
def test_torchserve_has_room_for_what_it_gets_and_is_never_without_the_next_batch(
    workers: int, batch: int | None, own: int | None, queue: int | None
) -> None:
    server = {"workers": workers, **({"batchSize": batch} if batch else {})}
    given = deployment(**server), model({"batchSize": own, "jobQueueSize": queue})
    assert most_at_once(*given) <= queue_size(*given)
    assert most_at_once(*given) >= min(2 * workers * (batch or own or 1), queue_size(*given))
