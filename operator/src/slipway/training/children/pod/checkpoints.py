"""What a job with checkpoints has more in its pods: two volumes, variables, and time to stop.

The script writes its saves where the agent can only read, and the agent what is restored where the
script can only read: neither can lead the other to a file of its own.
"""

from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.data import Checkpoint
from slipway.manifests import empty_dir, mount
from slipway.opened import CHECKPOINT_FOLDER, CHECKPOINT_VARIABLE, Opened, by_secret
from slipway.pods.resources import room, size
from slipway.settings import Settings
from slipway.store import checkpoint_uri
from slipway.training.children import names

DEFAULT_INTERVAL_SECONDS = 600
"""Time between two saves where the spec has no interval."""
DEFAULT_GRACE_SECONDS = 30
"""Kubernetes' own time between SIGTERM and SIGKILL."""
SAVE, RESTORE = "slipway-save", "slipway-restore"
"""Names of the two volumes."""
CLAIM = "slipway-claim"
"""Name of the volume of the claim that checkpoints lie in; the agent alone mounts it."""
MEMORY = "192Mi"
"""What the agent asks for with checkpoints: the store's libraries stay in its memory."""


def volumes(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the volumes between script and agent; none without checkpoints."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None:
        return []
    claim = {"claimName": checkpoint.claim}
    limit = size("checkpoint", settings, job.spec.volume_sizes.checkpoint)
    kept = [{"name": CLAIM, "persistentVolumeClaim": claim}] if checkpoint.claim else []
    return [*(empty_dir(name, limit) for name in (SAVE, RESTORE)), *kept]


def trainer_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the training container's mounts."""
    if job.spec.checkpoint is None:
        return []
    return [mount(SAVE, names.SAVE_DIR), mount(RESTORE, names.RESTORE_DIR, read_only=True)]


def agent_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the agent's mounts."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None:
        return []
    kept = [mount(CLAIM, f"{names.CLAIMS_DIR}/{checkpoint.claim}")] if checkpoint.claim else []
    own = [mount(SAVE, names.SAVE_DIR, read_only=True), mount(RESTORE, names.RESTORE_DIR)]
    return [*own, *kept]


def trainer_variables(job: TrainingJob) -> dict[str, str]:
    """Return what the helper library and the launcher are told."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None:
        return {}
    return {**_places(job), **_interval(checkpoint)}


def agent_variables(job: TrainingJob, settings: Settings) -> dict[str, str]:
    """Return what the agent is told; the Secret's variables come beside these."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None:
        return {}
    return {
        **_places(job),
        "SLIPWAY_CHECKPOINT_URI": checkpoint_uri(settings.store, job),
        "SLIPWAY_MOST_NODES": str(job.spec.most_nodes),
        **room({names.RESTORE_DIR: size("checkpoint", settings, job.spec.volume_sizes.checkpoint)}),
        "SLIPWAY_CHECKPOINT_KEEP": str(checkpoint.keep),
        "SLIPWAY_CHECKPOINT_RESUME": "any" if checkpoint.resume else "own",
        "SLIPWAY_CHECKPOINT_PATIENCE_SECONDS": str(checkpoint.store_timeout_seconds),
        **({"SLIPWAY_CLAIMS_DIR": names.CLAIMS_DIR} if checkpoint.claim else {}),
        **({"SLIPWAY_CHECKPOINT_OWN_SECRET": "true"} if checkpoint.credentials_secret_name else {}),
    }


def opened(job: TrainingJob) -> Opened:
    """Return what opens the folder of checkpoints, where it has a Secret of its own."""
    checkpoint = job.spec.checkpoint
    if checkpoint is None or checkpoint.credentials_secret_name is None:
        return Opened()
    return by_secret(checkpoint.credentials_secret_name, CHECKPOINT_FOLDER, CHECKPOINT_VARIABLE)


def pod_fields(job: TrainingJob) -> dict[str, Any]:
    """Return the pod's time to stop; Kubernetes' default without checkpoints."""
    checkpoint = job.spec.checkpoint
    return {"terminationGracePeriodSeconds": checkpoint.grace_period_seconds} if checkpoint else {}


def grace_seconds(job: TrainingJob) -> int:
    """Return the pods' time to stop, wherever it is said."""
    if job.spec.checkpoint is not None:
        return job.spec.checkpoint.grace_period_seconds
    overlay = job.spec.pod_template.spec if job.spec.pod_template else {}
    said = overlay.get("terminationGracePeriodSeconds")
    return said if isinstance(said, int) else DEFAULT_GRACE_SECONDS


def _places(job: TrainingJob) -> dict[str, str]:
    return {
        "SLIPWAY_CHECKPOINT_DIR": names.SAVE_DIR,
        "SLIPWAY_RESTORE_DIR": names.RESTORE_DIR,
        "SLIPWAY_JOB_UID": job.metadata.uid,
    }


def _interval(wanted: Checkpoint) -> dict[str, str]:
    if wanted.interval_steps is not None:
        return {"SLIPWAY_CHECKPOINT_INTERVAL_STEPS": str(wanted.interval_steps)}
    seconds = wanted.interval_seconds or DEFAULT_INTERVAL_SECONDS
    return {"SLIPWAY_CHECKPOINT_INTERVAL_SECONDS": str(seconds)}
