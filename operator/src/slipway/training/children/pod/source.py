"""How the training script gets into a pod: mounted, or brought by an init container."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.source import GitSource
from slipway.manifests import empty_dir, mount
from slipway.opened import Opened, place
from slipway.pods.resources import size
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod.environment import package_code, source_dir
from slipway.training.children.pod.fetching import fetching_container, fetching_room


def source_volumes(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the source's volume; none for a source in the image."""
    if config_map := job.spec.source_config_map:
        return [{"name": "source", "configMap": {"name": config_map.name}}]
    return [source_folder(job, settings)] if job.spec.fetched_source else []


def source_folder(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the volume of a source that is brought."""
    return empty_dir("source", size("source", settings, job.spec.volume_sizes.source))


def source_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the source's mount; none for a source in the image."""
    here = job.spec.source_config_map or job.spec.fetched_source
    return [mount("source", names.SOURCE_DIR, read_only=True)] if here else []


def source_containers(
    job: TrainingJob, settings: Settings, commit: str | None = None, *, checked: bool = False
) -> list[dict[str, Any]]:
    """Return the init container that brings a source from git or an archive; none for others.

    ``commit`` takes the place of a branch or tag that may have moved since. ``checked``: the code
    that ``spec.package`` names in it has to be such as can be served.
    """
    source = job.spec.fetched_source
    if source is None:
        return []
    if isinstance(source, GitSource):
        git = {"url": source.url, "ref": commit or source.ref}
        more = {"submodules": True} if source.submodules else {}
        return [_container(job, {"git": {**git, **more}}, settings, checked)]
    archive = {"uri": source.uri, "sha256": source.sha256}
    return [_container(job, {"archive": archive}, settings, checked)]


def opened(job: TrainingJob, settings: Settings) -> Opened:
    """Return what opens the place that the source is brought from."""
    source = job.spec.fetched_source
    if source is None:
        return Opened()
    uri = "" if isinstance(source, GitSource) else source.uri
    return place(uri, source.credentials_secret_name, settings.store)


def _container(
    job: TrainingJob, wanted: dict[str, Any], settings: Settings, checked: bool
) -> dict[str, Any]:
    limit = size("source", settings, job.spec.volume_sizes.source)
    env = {
        "SLIPWAY_SOURCE": json.dumps(wanted),
        "SLIPWAY_SOURCE_DIR": names.SOURCE_DIR,
        **(_check(job) if checked else {}),
        **fetching_room(job, settings, {names.SOURCE_DIR: limit}),
    }
    where = mount("source", names.SOURCE_DIR)
    access, given = (opened(job, settings),), job.spec.fetch.resources
    return fetching_container(
        names.SOURCE, "bring.bring_source", env, [where], access, given, settings
    )


def _check(job: TrainingJob) -> dict[str, str]:
    code = package_code(job)
    return {**code, "SLIPWAY_PACKAGE_FOLDER": source_dir(job)} if code else {}
