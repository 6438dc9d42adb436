"""How the training script gets into a pod: mounted, or brought by an init container."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training_source import GitSource
from slipway.manifests import empty_dir, mount
from slipway.opened import Opened, place
from slipway.settings import Settings
from slipway.training import names
from slipway.training.fetching import fetching_container


def source_volumes(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the source's volume; none for a source in the image."""
    if config_map := job.spec.source_config_map:
        return [{"name": "source", "configMap": {"name": config_map.name}}]
    return [empty_dir("source")] if job.spec.fetched_source else []


def source_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the source's mount; none for a source in the image."""
    here = job.spec.source_config_map or job.spec.fetched_source
    return [mount("source", names.SOURCE_DIR, read_only=True)] if here else []


def source_containers(
    job: TrainingJob, settings: Settings, commit: str | None = None
) -> list[dict[str, Any]]:
    """Return the init container that brings a source from git or an archive; none for others.

    ``commit`` takes the place of a branch or tag that may have moved since.
    """
    source = job.spec.fetched_source
    if source is None:
        return []
    if isinstance(source, GitSource):
        git = {"url": source.url, "ref": commit or source.ref}
        more = {"submodules": True} if source.submodules else {}
        return [_container({"git": {**git, **more}}, opened(job, settings), settings)]
    wanted = {"archive": {"uri": source.uri, "sha256": source.sha256}}
    return [_container(wanted, opened(job, settings), settings)]


def opened(job: TrainingJob, settings: Settings) -> Opened:
    """Return what opens the place that the source is brought from."""
    source = job.spec.fetched_source
    if source is None:
        return Opened()
    uri = "" if isinstance(source, GitSource) else source.uri
    return place(uri, source.credentials_secret_name, settings.store)


def _container(wanted: dict[str, Any], access: Opened, settings: Settings) -> dict[str, Any]:
    env = {"SLIPWAY_SOURCE": json.dumps(wanted), "SLIPWAY_SOURCE_DIR": names.SOURCE_DIR}
    program = "bring_source"
    where = mount("source", names.SOURCE_DIR)
    scratch = names.SOURCE_SCRATCH
    return fetching_container(names.SOURCE, program, env, [where], scratch, access, settings)
