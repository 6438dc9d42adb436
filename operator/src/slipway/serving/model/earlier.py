"""The archives of revisions that serve or served, as the status tells of them."""

from collections.abc import Iterator

from slipway.api import ModelDeployment
from slipway.api.serving.deployment import ModelDeploymentStatus
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.rollout_status import HistoryEntry
from slipway.api.serving.server import RuntimeName


def stable(status: ModelDeploymentStatus) -> tuple[bool, ModelStatus | None]:
    """Return whether a revision is stable, and its archive; None where nobody knows it any more."""
    rollout = status.rollout
    revision = rollout.stable_revision if rollout else None
    if rollout is None or revision is None:
        return False, None
    if status.revision == revision:
        return True, status.model
    entries = (one for one in rollout.history if one.outcome == "Promoted")
    return True, next((one.model for one in entries if one.revision == revision), None)


def promoted(deployment: ModelDeployment) -> dict[str, ModelStatus]:
    """Return the archives of the revisions that served, by their names, the newest first."""
    models: dict[str, ModelStatus] = {}
    for revision, model in _served(deployment):
        models.setdefault(revision, model)
    return models


def runtime_of(deployment: ModelDeployment, revision: str) -> RuntimeName | None:
    """Return what served a promoted revision last; None where the history does not say."""
    state = deployment.status.rollout
    served = (one for one in state.history if one.outcome == "Promoted") if state else ()
    return next((one.runtime for one in served if one.revision == revision), None)


def _served(deployment: ModelDeployment) -> Iterator[tuple[str, ModelStatus]]:
    status = deployment.status
    for entry in status.rollout.history if status.rollout else ():
        model = entry.model or _told(deployment, entry)
        if entry.outcome == "Promoted" and model is not None:
            yield entry.revision, model


def _told(deployment: ModelDeployment, entry: HistoryEntry) -> ModelStatus | None:
    """Return the archive of an entry that release 0.2 wrote, which has no name in it."""
    if not entry.uri or entry.sha256 is None:
        return None
    now = deployment.status.model
    name = deployment.spec.model.name or (now.name if now else deployment.metadata.name)
    return ModelStatus(name=name, uri=entry.uri, sha256=entry.sha256)
