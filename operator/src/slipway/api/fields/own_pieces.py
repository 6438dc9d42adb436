"""What the operator itself puts into the pods of a kind, which a user's overlay leaves alone."""

from dataclasses import dataclass

OWN_FOLDER = "/slipway"
"""Beneath it the operator mounts what the main container needs."""


def in_words(*names: str) -> str:
    """Return names as a sentence has them: ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


@dataclass(frozen=True)
class OwnPieces:
    """What the operator itself puts into a kind's pods, which an overlay must leave alone.

    ``main`` is the container that the overlay may add to. Names of containers may also begin with
    one of ``prefixes``; those of volumes too, or with ``slipway-``. ``private`` are the volumes
    that no container of the user's may mount, besides those named slipway-*. ``where`` is the
    field of the spec that says what the main container is. ``agent_user`` is the user ID of a
    container that runs beside the user's with credentials, which none of the user's may have; None
    where there is no such container.
    """

    main: str
    containers: tuple[str, ...]
    volumes: tuple[str, ...]
    private: tuple[str, ...]
    where: str
    prefixes: tuple[str, ...] = ()
    agent_user: int | None = None

    def owns(self, container: str) -> bool:
        """Tell whether a container of this name is the operator's."""
        return container in self.containers or container.startswith(self.prefixes)

    def hides(self, volume: str) -> bool:
        """Tell whether only the operator's own containers may mount a volume."""
        return volume.startswith("slipway-") or volume in self.private

    @property
    def mount_message(self) -> str:
        """What to do about a mount of what only the operator's containers may see."""
        names = in_words("slipway-*", *self.private)
        return f"remove the mount from podTemplate: volumes named {names} are the operator's own"

    @property
    def folder_message(self) -> str:
        """What to do about a mount in the operator's folder."""
        return (
            f"choose another mountPath than in {OWN_FOLDER}, where the operator mounts what the "
            f"container {self.main} needs"
        )


TRAINING_POD = OwnPieces(
    main="trainer",
    containers=("agent", "source", "trainer"),
    prefixes=("input-",),
    volumes=("source", "run", "output", "tmp", "agent-tmp", "fetch-tmp", "shm"),
    private=("agent-tmp", "fetch-tmp"),
    where="spec",
    agent_user=10002,
)
SERVING_POD = OwnPieces(
    main="torchserve",
    containers=("fetch", "envoy", "slipway-hooks", "torchserve"),
    volumes=("config", "routes", "models", "logs", "tmp", "fetch-tmp", "admin", "shm"),
    private=("fetch-tmp", "admin"),
    where="spec.server",
)
