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
    return [_volume(each, limit) for each in job.spec.inputs]


def input_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return where the script's container finds its inputs, read-only."""
    return [_mount(each, read_only=True) for each in job.spec.inputs]


def input_containers(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the init containers that fetch inputs, or check the digest of what a claim holds."""
    return [_container(job, each, settings) for each in fetched(job)]


def fetched(job: TrainingJob) -> list[Input]:
    """Return the inputs that a container fetches or checks."""
    return [each for each in job.spec.inputs if not claim_and_path(each.uri) or each.sha256]


def opened(given: Input, settings: Settings) -> Opened:
    """Return what opens an input's place."""
    return place(given.uri, given.credentials_secret_name, settings.store)


def _volume(given: Input, limit: int | str) -> dict[str, Any]:
    place_in_claim = claim_and_path(given.uri)
    if place_in_claim is None:
        return empty_dir(_name(given), limit)
    claim = {"claimName": place_in_claim[0], "readOnly": True}
    return {"name": _name(given), "persistentVolumeClaim": claim}


def _mount(given: Input, *, read_only: bool) -> dict[str, Any]:
    folder = f"{names.INPUTS_DIR}/{given.name}"
    _, path = claim_and_path(given.uri) or ("", "")
    whole = mount(_name(given), folder, read_only=read_only)
    return {**whole, "subPath": path} if path else whole


def _name(given: Input) -> str:
    return f"{names.INPUT}{given.name}"


def _container(job: TrainingJob, given: Input, settings: Settings) -> dict[str, Any]:
    request: dict[str, Any] = {"name": given.name, "uri": given.uri, "sha256": given.sha256}
    if job.spec.package is not None and job.spec.package.sign is not None:
        request["isDigestTold"] = True
    folder = f"{names.INPUTS_DIR}/{given.name}"
    limit = size("inputs", settings, job.spec.volume_sizes.inputs)
    env = {
        "SLIPWAY_INPUT": json.dumps(request),
        "SLIPWAY_INPUT_DIR": folder,
        **fetching_room(job, settings, {folder: limit}),
    }
    return fetching_container(
        _name(given),
        "bring.bring_input",
        env,
        [_mount(given, read_only=claim_and_path(given.uri) is not None)],
        opened(given, settings),
        job.spec.fetch.resources,
        settings,
    )
