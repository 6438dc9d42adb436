"""How the training script gets into a pod."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import mount
from slipway.training import names


def source_volumes(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the volume of a ConfigMap source; none for a source in the image."""
    config_map = job.spec.source_config_map
    return [{"name": "source", "configMap": {"name": config_map.name}}] if config_map else []


def source_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the mount of a ConfigMap source; none for a source in the image."""
    here = bool(job.spec.source_config_map)
    return [mount("source", names.SOURCE_DIR, read_only=True)] if here else []
