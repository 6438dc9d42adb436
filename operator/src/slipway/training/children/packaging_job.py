"""The Job that makes the archive of a finished training: one pod, no GPU, safe to repeat."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.common import ResourceRequirements
from slipway.api.training.package import Package
from slipway.api.training.status import PackagingStatus
from slipway.manifests import (
    DEFAULT_CONTAINER,
    child,
    container_security,
    empty_dir,
    escaped,
    labels,
    mount,
    pod_command,
    pod_security,
)
from slipway.opened import store, volumes
from slipway.plan import Manifest
from slipway.pods.placement import pull_secrets
from slipway.pods.resources import resources, size
from slipway.settings import Settings
from slipway.store import lineage_uri, package_uri, store_identity
from slipway.training.children import gates, names, samples, trust
from slipway.training.children.pod.agent import own_image
from slipway.training.children.pod.environment import SCRATCH, identity, pairs, source_dir
from slipway.training.children.pod.fetching import fetching_room
from slipway.training.children.pod.source import opened as source_opened
from slipway.training.children.pod.source import (
    source_containers,
    source_folder,
    source_mounts,
    source_volumes,
)
from slipway.training.children.pod_failure_policy import disrupted

NUMBER = "slipway.dev/packaging"
"""Label of a packaging Job with the number of its packaging; absent in Jobs of release 0.2.0."""

DIGEST = "slipway.dev/package-digest"
"""Label of a packaging Job with the digest of the ``spec.package`` that it was made of."""


STORE_UNAVAILABLE_CODE = 75
"""The packager's exit code where the store is unavailable: EX_TEMPFAIL of BSD's sysexits.h."""
INVALID_PACKAGE_CODE = 65
"""The packager's exit code where the package itself is wrong: EX_DATAERR of BSD's sysexits.h."""
LONGEST_SECONDS = 86_400
"""So long a packaging may take, waits for the store and tries included, beside the time in which a
model answers its samples, and that in which its forms are measured."""
BACKOFF_LIMIT = 2
"""How often a packager that failed for another reason is tried again."""


_PART = 30_000
"""Longest part of a variable, in characters, each of which has four bytes at most."""

_NOT_PACKAGED = ("resources", "retention")
"""Fields of ``spec.package`` that say nothing of the archive."""


COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"
"""The program that takes a source out of the user's image; its arguments are from and to."""


def packaging_job(
    job: TrainingJob,
    package: Package,
    settings: Settings,
    output: str,
    trained: trust.Trained,
    packaging: PackagingStatus,
) -> Manifest:
    """Return the packaging Job for an output's URI.

    An unavailable store is no failed try: the Job controller tries again, with back-off, until the
    Job's deadline. A package that is wrong is tried once.
    """
    head = child(job, "batch/v1", "Job", names.package_name(job), names.PACKAGER)
    head["metadata"]["labels"] |= {NUMBER: str(packaging.number), DIGEST: packaging.digest}
    env = _env(job, package, settings, output, trained, packaging.number)
    return {
        **head,
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": BACKOFF_LIMIT,
            "activeDeadlineSeconds": longest_seconds(package),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    _on_exit(names.PACKAGER, "Ignore", STORE_UNAVAILABLE_CODE),
                    _on_exit(names.PACKAGER, "FailJob", INVALID_PACKAGE_CODE),
                    *(_before() if package.samples else ()),
                    disrupted("Ignore"),
                ]
            },
            "suspend": False,
            "template": {
                "metadata": {
                    "labels": labels(job, names.PACKAGER),
                    "annotations": {DEFAULT_CONTAINER: names.PACKAGER},
                },
                "spec": _pod(job, settings, trained, env),
            },
        },
    }


def longest_seconds(package: Package) -> int:
    """Return how long the packaging Job of a package may take, in seconds."""
    answering = package.samples.timeout_seconds if package.samples else 0
    measuring = package.optimize.timeout_seconds if package.optimize else 0
    return LONGEST_SECONDS + answering + measuring


def _on_exit(container: str, action: str, code: int) -> dict[str, Any]:
    """Return the rule for an exit code of a container that makes the archive."""
    codes = {"containerName": container, "operator": "In", "values": [code]}
    return {"action": action, "onExitCodes": codes}


def _before() -> list[dict[str, Any]]:
    """Return the rules for the containers before the packager, one of which is the user's code."""
    return [
        _on_exit(names.BUILDER, "Ignore", STORE_UNAVAILABLE_CODE),
        _on_exit(names.BUILDER, "FailJob", INVALID_PACKAGE_CODE),
        _on_exit(names.ANSWERER, "FailJob", INVALID_PACKAGE_CODE),
    ]


def _pod(
    job: TrainingJob, settings: Settings, trained: trust.Trained, env: list[dict[str, Any]]
) -> dict[str, Any]:
    copied = _copies_source(job)
    brought = source_containers(job, settings, trained.revision)
    scratch = size("scratch", settings, job.spec.volume_sizes.scratch)
    added = samples.added(job, _packager(job, settings, env), settings)
    first = [*([_source_copy(job, settings)] if copied else brought), *added["initContainers"]]
    pod = {
        **pod_security(),
        **store_identity(settings.store),
        **_pull_secrets(job, settings),
        "restartPolicy": "Never",
        "containers": added["containers"],
        "volumes": [
            *([source_folder(job, settings)] if copied else source_volumes(job, settings)),
            *([empty_dir(names.SOURCE_SCRATCH, scratch)] if brought else ()),
            empty_dir("tmp", scratch),
            *volumes((store(settings.store), *([source_opened(job, settings)] if brought else ()))),
            *(volume for key in trust.keys(job.spec.package) for volume in key.volumes),
            *added["volumes"],
        ],
    }
    return {**pod, "initContainers": first} if first else pod


def _pull_secrets(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the credentials for the user's image, which the source may be copied out of."""
    overlay = job.spec.pod_template
    own = overlay.spec.get("imagePullSecrets") if overlay else None
    known = pull_secrets(job.spec, settings).get("imagePullSecrets", [])
    both = [*known, *(secret for secret in own or () if secret not in known)]
    return {"imagePullSecrets": both} if both else {}


def _copies_source(job: TrainingJob) -> bool:
    """Tell whether the source is in an image that is not the packager's own."""
    return job.spec.source_image is not None and job.spec.image is not None


def _source_copy(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    return {
        "name": "source",
        "image": job.spec.image,
        "command": ["python3", "-c", COPY, source_dir(job), names.SOURCE_DIR],
        "resources": resources("fetch", settings, job.spec.fetch.resources),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount("source", names.SOURCE_DIR)],
    }


def _given(job: TrainingJob) -> ResourceRequirements:
    package = job.spec.package
    return package.resources if package else ResourceRequirements()


def _packager(job: TrainingJob, settings: Settings, env: list[dict[str, Any]]) -> dict[str, Any]:
    access = store(settings.store)
    copied = [mount("source", names.SOURCE_DIR, read_only=True)] if _copies_source(job) else []
    return {
        "name": names.PACKAGER,
        **own_image(settings),
        "command": pod_command("package.package"),
        "env": [*env, *access.env],
        "resources": resources("package", settings, _given(job)),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *(copied or source_mounts(job)),
            *access.mounts,
            *(mounted for key in trust.keys(job.spec.package) for mounted in key.mounts),
            mount("tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


def _env(
    job: TrainingJob,
    package: Package,
    settings: Settings,
    output: str,
    trained: trust.Trained,
    number: int,
) -> list[dict[str, Any]]:
    content = {
        name: value for name, value in package.to_wire().items() if name not in _NOT_PACKAGED
    }
    named = {"modelName": job.model_name, "modelVersion": job.package_version(number)}
    request = {**content, **named}
    compared = gates.record_of(job, trained.served, settings.store)
    asked = gates.questions(package, trained.reported, compared)
    return pairs(
        {
            **SCRATCH,
            **fetching_room(job, settings, {}),
            **identity(job),
            "SLIPWAY_OUTPUT_URI": output,
            "SLIPWAY_PACKAGE_URI": package_uri(settings.store, job, number),
            "SLIPWAY_LINEAGE_URI": lineage_uri(settings.store, job, number),
            **_literal("SLIPWAY_PACKAGE", request),
            **_literal("SLIPWAY_LINEAGE", trust.lineage(job, trained)),
            **(_literal("SLIPWAY_GATES", asked) if asked else {}),
            **trust.variables(job, package, number),
            "SLIPWAY_SOURCE_DIR": names.SOURCE_DIR if _copies_source(job) else source_dir(job),
        }
    )


def _literal(name: str, value: dict[str, Any]) -> dict[str, str]:
    """Return a value as JSON in which the kubelet expands nothing: ``$$`` stands for ``$``.

    What is too long for one variable goes on in ``NAME_1`` and so on: Linux starts no program with
    a variable of over 131,072 bytes.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    parts = [text[begin : begin + _PART] for begin in range(0, len(text), _PART)]
    return {f"{name}_{at}" if at else name: escaped(part) for at, part in enumerate(parts)}
