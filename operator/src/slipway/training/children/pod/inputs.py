"""The inputs of a training: a folder each, filled by an init container or mounted from a claim."""

import json
from collections.abc import Mapping
from typing import Any

from slipway.api import TrainingJob
from slipway.api.fields.claim import claim_and_path
from slipway.api.training.inputs import Input
from slipway.api.training.status import InputStatus
from slipway.manifests import empty_dir, mount
from slipway.opened import Opened, key_file, place
from slipway.pods.resources import size
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod.fetching import fetching_container, fetching_room
from slipway.uris import shown

KEYSETS = "/slipway/keys"
"""Where a container finds the keyset of the input that it brings, in a folder of its own name."""


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
    return [each for each in job.spec.inputs if _claim(each) is None or each.sha256]


def recorded(job: TrainingJob, given: Input, brought: Mapping[str, str]) -> dict[str, Any]:
    """Return what a package's record says of an input; ``brought`` has digests by inputs' names."""
    archive = job.pinned(given)
    if archive is not None:
        kept = {"name", "uri", "sha256", "training_job", "training_job_uid", "model_version"}
        return archive.model_dump(by_alias=True, exclude_none=True, include=kept)
    digest = given.sha256 or brought.get(given.name)
    known = {"sha256": digest} if digest else {}
    return {"name": given.name, "uri": shown(given.uri or ""), **known}


def opened(job: TrainingJob, given: Input, settings: Settings) -> tuple[Opened, ...]:
    """Return what opens an input's place, and what decrypts it."""
    access = place(_uri(job, given), given.credentials_secret_name, settings.store)
    archive = job.pinned(given)
    if archive is None or archive.encryption is None:
        return (access,)
    return access, key_file(archive.encryption.key_secret_ref, _keyset(given))


def _uri(job: TrainingJob, given: Input) -> str:
    """Return where an input lies; empty for another job's archive that is not chosen yet."""
    archive = job.pinned(given)
    return given.uri or (archive.uri if archive else None) or ""


def _claim(given: Input) -> tuple[str, str] | None:
    return claim_and_path(given.uri) if given.uri else None


def _keyset(given: Input) -> str:
    return f"{KEYSETS}/{_name(given)}/keyset.json"


def _volume(given: Input, limit: int | str) -> dict[str, Any]:
    place_in_claim = _claim(given)
    if place_in_claim is None:
        return empty_dir(_name(given), limit)
    claim = {"claimName": place_in_claim[0], "readOnly": True}
    return {"name": _name(given), "persistentVolumeClaim": claim}


def _mount(given: Input, *, read_only: bool) -> dict[str, Any]:
    folder = f"{names.INPUTS_DIR}/{given.name}"
    _, path = _claim(given) or ("", "")
    whole = mount(_name(given), folder, read_only=read_only)
    return {**whole, "subPath": path} if path else whole


def _name(given: Input) -> str:
    return f"{names.INPUT}{given.name}"


def _container(job: TrainingJob, given: Input, settings: Settings) -> dict[str, Any]:
    request: dict[str, Any] = {"name": given.name, "uri": _uri(job, given), "sha256": given.sha256}
    archive = job.pinned(given)
    if archive is not None:
        request |= {"sha256": archive.sha256, "archive": _unpacking(given, archive)}
    elif job.spec.package is not None and job.spec.package.sign is not None:
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
        [_mount(given, read_only=_claim(given) is not None)],
        opened(job, given, settings),
        job.spec.fetch.resources,
        settings,
    )


def _unpacking(given: Input, archive: InputStatus) -> dict[str, str]:
    """Return how an archive is opened that another job made; nothing where it is plain."""
    if archive.encryption is None:
        return {}
    return {"keyset": _keyset(given), "associatedData": archive.encryption.associated_data}
