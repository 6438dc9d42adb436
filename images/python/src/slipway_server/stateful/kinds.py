"""How a model's requests wait and are given to its workers, by its configuration."""

from collections.abc import Callable

from slipway_server.forks import Child
from slipway_server.metrics import Metrics
from slipway_server.model_config import ModelConfig
from slipway_server.plan import Plan
from slipway_server.queue import JobQueue
from slipway_server.services import Batches, Service
from slipway_server.stateful.keys import Keys
from slipway_server.stateful.queue import Own, SequenceQueue, Shared
from slipway_server.stateful.sequences import Bounds
from slipway_server.stateful.steps import Steps


def queue_for(model: str, config: ModelConfig) -> JobQueue | SequenceQueue:
    """Return where a model's requests wait."""
    if not config.is_sequence:
        return JobQueue(model, config.queue_size)
    bounds = Bounds(
        sequences=max(config.max_sequences, config.batch_size * config.workers),
        waiting=config.sequence_queue_size,
        idle=config.sequence_idle / 1000,
        oldest=config.sequence_timeout / 1000,
    )
    return SequenceQueue(model, bounds, together=config.is_continuous)


def places(config: ModelConfig) -> int:
    """Return how many requests a worker has at once, as TorchServe counts them."""
    return config.batch_size * (2 if config.is_sequence and config.is_continuous else 1)


def serving(
    plan: Plan, queue: JobQueue | SequenceQueue, metrics: Metrics, config: ModelConfig
) -> Callable[[int, Child], Service]:
    """Return what makes the service of a worker, by its number and its process."""
    names = Keys.read()

    def serve(number: int, child: Child) -> Service:
        if isinstance(queue, SequenceQueue):
            return Steps(child, plan, Own(queue, number), metrics, names)
        if config.is_continuous:
            return Steps(child, plan, Shared(queue), metrics, names)
        return Batches(child, plan, queue, metrics)

    return serve
