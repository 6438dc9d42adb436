"""How the training script gets into a pod: mounted, or brought by an init container."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training_source import GitSource
from slipway.manifests import empty_dir, mount
from slipway.settings import Settings
from slipway.training import names
from slipway.training.fetching import credentials, fetching_container


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
        return [_git_container(source, commit or source.ref, settings)]
    wanted = {"archive": {"uri": source.uri, "sha256": source.sha256}}
    opened = credentials(source.uri, source.credentials_secret_name, settings)
    return [_container(wanted, opened, settings)]


def _git_container(source: GitSource, ref: str | None, settings: Settings) -> dict[str, Any]:
    git = {"url": source.url, "ref": ref, **({"submodules": True} if source.submodules else {})}
    secret = source.credentials_secret_name
    if not (source.is_ssh and secret):
        return _container({"git": git}, credentials("", secret, settings), settings)
    container = _container({"git": git}, [], settings)
    return {**container, "env": [*container["env"], *_ssh_env(secret)]}


def _ssh_env(secret: str) -> list[dict[str, Any]]:
    """Return what opens a host by SSH; what the Secret lacks is told by the program itself."""
    keys = {"SLIPWAY_GIT_KEY": "ssh-privatekey", "SLIPWAY_GIT_KNOWN_HOSTS": "known_hosts"}
    return [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": secret, "key": key, "optional": True}},
        }
        for name, key in keys.items()
    ]


def _container(
    wanted: dict[str, Any], opened: list[dict[str, Any]], settings: Settings
) -> dict[str, Any]:
    env = {"SLIPWAY_SOURCE": json.dumps(wanted), "SLIPWAY_SOURCE_DIR": names.SOURCE_DIR}
    program = "bring_source"
    where = mount("source", names.SOURCE_DIR)
    scratch = names.SOURCE_SCRATCH
    return fetching_container(names.SOURCE, program, env, [where], scratch, opened, settings)
