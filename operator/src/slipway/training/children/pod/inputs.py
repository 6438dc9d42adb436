"""The inputs of a training: a folder each, filled by an init container or mounted from a claim."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.fields.claim import claim_and_path
from slipway.api.training.inputs import Input
from slipway.manifests import empty_dir, mount
from slipway.opened import Opened, place
from slipway.pods.resources import size
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod.fetching import fetching_container, fetching_room


def input_volumes(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return a volume for each input: scratch space, or the claim that it lies in."""
    limit = size("inputs", settings, job.spec.volume_sizes.inputs)
    return [_volume(one, limit) for one in job.spec.inputs]


def input_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return where the script's container finds its inputs, read-only."""
    return [_mount(one, read_only=True) for one in job.spec.inputs]


def input_containers(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the init containers that fetch inputs, or check the digest of what a claim holds."""
    return [_container(job, one, settings) for one in fetched(job)]


def fetched(job: TrainingJob) -> list[Input]:
    """Return the inputs that a container fetches or checks."""
    return [one for one in job.spec.inputs if not claim_and_path(one.uri) or one.sha256]


def opened(one: Input, settings: Settings) -> Opened:
    """Return what opens an input's place."""
    return place(one.uri, one.credentials_secret_name, settings.store)


def _volume(one: Input, limit: int | str) -> dict[str, Any]:
    found = claim_and_path(one.uri)
    if found is None:
        return empty_dir(_name(one), limit)
    claim = {"claimName": found[0], "readOnly": True}
    return {"name": _name(one), "persistentVolumeClaim": claim}


def _mount(one: Input, *, read_only: bool) -> dict[str, Any]:
    folder = f"{names.INPUTS_DIR}/{one.name}"
    _, path = claim_and_path(one.uri) or ("", "")
    found = mount(_name(one), folder, read_only=read_only)
    return {**found, "subPath": path} if path else found


def _name(one: Input) -> str:
    return f"{names.INPUT}{one.name}"


def _container(job: TrainingJob, one: Input, settings: Settings) -> dict[str, Any]:
    wanted: dict[str, Any] = {"name": one.name, "uri": one.uri, "sha256": one.sha256}
    if job.spec.package is not None and job.spec.package.sign is not None:
        wanted["isDigestTold"] = True
    folder = f"{names.INPUTS_DIR}/{one.name}"
    limit = size("inputs", settings, job.spec.volume_sizes.inputs)
    env = {
        "SLIPWAY_INPUT": json.dumps(wanted),
        "SLIPWAY_INPUT_DIR": folder,
        **fetching_room(job, settings, {folder: limit}),
    }
    return fetching_container(
        _name(one),
        "bring.bring_input",
        env,
        [_mount(one, read_only=claim_and_path(one.uri) is not None)],
        opened(one, settings),
        job.spec.fetch.resources,
        settings,
    )
