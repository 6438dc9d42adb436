"""What holds of a server's settings: the spec's word, else the archive's own, else the default.

The operator knows an archive's own configuration where a TrainingJob says it (``package.config``);
of one at a URI the pod's fetch container reads it, and fills in what the spec leaves open.
"""

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.server import ServerStatus
from slipway.api.training.package import PackageConfig

_DEFAULTS = PackageConfig(
    batch_size=1, max_batch_delay=100, response_timeout=120, startup_timeout=600
)
"""What a server takes where nobody says anything."""
_CONTAINER_DEFAULTS = PackageConfig(response_timeout=120, startup_timeout=600)
LEAST_AT_ONCE = 8
"""Requests that a server has at a time where its batches need no more: the next one is there when
a quick answer is given, and few are computed whose clients have given up."""
UNKNOWN_AT_ONCE = 100
"""Requests that a server has at a time where only the archive says how large its batches are, and
the least room in its queue."""
WAITING_REQUESTS = 4000
"""Requests that wait in a pod where the archive says nothing. No one waits longer than an answer
may take, and one that its client gives up costs nothing."""
UNKNOWN_ANSWER_SECONDS = 120
"""Time for one more answer where only the archive says how long it may take: the default."""
LONGEST_RESPONSE_SECONDS = 3600
LONGEST_STARTUP_SECONDS = 86_400
"""The bounds of the spec's fields: what an archive that nobody has read yet may ask for."""


def in_force(deployment: ModelDeployment, model: ModelStatus) -> ServerStatus:
    """Return the settings in force; None is what only the archive says.

    A container of the user's own reads no archive's settings, and has no batches that we know.
    """
    server, own = deployment.spec.server, model.config or PackageConfig()
    default = _DEFAULTS if model.config is not None else PackageConfig()
    if server.container is not None:
        own, default = PackageConfig(), _CONTAINER_DEFAULTS
    delays = (server.max_batch_delay_milliseconds, own.max_batch_delay, default.max_batch_delay)
    response = (server.response_timeout_seconds, own.response_timeout, default.response_timeout)
    startup = (server.startup_timeout_seconds, own.startup_timeout, default.startup_timeout)
    return ServerStatus(
        workers=server.workers,
        batch_size=_first(server.batch_size, own.batch_size, default.batch_size),
        max_batch_delay_milliseconds=_first(*delays),
        response_timeout_seconds=_first(*response),
        startup_timeout_seconds=_first(*startup),
    )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def longest_response(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how long the server may take for one answer at most, in seconds."""
    return in_force(deployment, model).response_timeout_seconds or LONGEST_RESPONSE_SECONDS


def one_more_answer(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how long a pod that is to stop waits for requests that it already has, in seconds."""
    return in_force(deployment, model).response_timeout_seconds or UNKNOWN_ANSWER_SECONDS


def longest_startup(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how long the workers may take to load the model at most, in seconds."""
    return in_force(deployment, model).startup_timeout_seconds or LONGEST_STARTUP_SECONDS


def most_at_once(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how many requests the server gets at a time at most, which its queue has room for.

    They fill all workers' batches twice: one that is computed, and the next one. What the server
    has is computed even if nobody waits for it any more; what waits in Envoy is forgotten then.
    """
    container = deployment.spec.server.container
    if container is not None:
        return container.max_concurrent_requests
    holds = in_force(deployment, model)
    least = LEAST_AT_ONCE if holds.batch_size else UNKNOWN_AT_ONCE
    return min(max(least, _batches(holds)), queue_size(deployment, model))


def queue_size(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how many requests have room in the server's queue: the smoke test's too."""
    return _own_queue(model) or max(UNKNOWN_AT_ONCE, _batches(in_force(deployment, model)))


def _batches(holds: ServerStatus) -> int:
    return 2 * holds.workers * (holds.batch_size or 1)


def most_waiting(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how many more wait in the pod before others are refused."""
    if deployment.spec.server.container is not None:
        return WAITING_REQUESTS
    return _own_queue(model) or WAITING_REQUESTS


def _own_queue(model: ModelStatus) -> int | None:
    """Return the archive's own jobQueueSize; None where it has none that the operator knows."""
    return model.config.job_queue_size if model.config else None
