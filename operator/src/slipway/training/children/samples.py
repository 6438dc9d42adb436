"""The containers of a packaging pod whose archive has samples.

The archive is made by the first, asked by the second and stored by the third. The second alone runs
the user's code: it has no credentials, no key, no token, and cannot write where the archive lies.
"""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.package import Package
from slipway.api.training.samples import Samples
from slipway.manifests import container_security, empty_dir, escaped, mount, pod_command
from slipway.opened import KEY_VOLUME
from slipway.pods.resources import resources, size
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod.environment import SCRATCH, pairs

BUILT = "/slipway/built"
"""Where `slipway_pods.package.samples.handed` finds what the first made."""
ANSWERS = "/slipway/answers"
"""Where it finds what the second wrote."""
MADE = "built"
"""The folder of the archive in the scratch of the container that made it."""
_SCRATCH, _ANSWERS, _ANSWER_SCRATCH = "built", "answers", "answer-tmp"
ANSWERS_SIZE = "16Mi"
"""Size limit of the answers, of which 8 MiB are read, where no model comes with them."""


def added(job: TrainingJob, packager: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the pod's fields that samples change, by the packager of a pod without any.

    ``initContainers`` and ``volumes`` come behind those that there are; ``containers`` replace.
    """
    package = job.spec.package
    if package is None or package.samples is None:
        return {"initContainers": [], "containers": [packager], "volumes": []}
    scratch = size("scratch", settings, job.spec.volume_sizes.scratch)
    return {
        "initContainers": [_build(packager), _answer(job, package, package.samples, settings)],
        "containers": [_packager(packager)],
        "volumes": [
            empty_dir(_SCRATCH, scratch),
            empty_dir(_ANSWERS, scratch if package.optimize else ANSWERS_SIZE),
            empty_dir(_ANSWER_SCRATCH, scratch),
        ],
    }


def _build(packager: dict[str, Any]) -> dict[str, Any]:
    """Return the packager's twin that makes the archive, without its keys."""
    mounts = [each for each in packager["volumeMounts"] if not _is_key(each)]
    return {
        **packager,
        "name": names.BUILDER,
        "command": pod_command("package.samples.build"),
        "volumeMounts": [
            {**each, "name": _SCRATCH} if each["name"] == "tmp" else each for each in mounts
        ],
    }


def _is_key(mounted: dict[str, Any]) -> bool:
    return str(mounted["name"]).startswith(KEY_VOLUME)


def _packager(packager: dict[str, Any]) -> dict[str, Any]:
    """Return the packager with what the two before it leave."""
    handed = [
        {**mount(_SCRATCH, BUILT), "subPath": MADE},
        mount(_ANSWERS, ANSWERS, read_only=True),
    ]
    return {**packager, "volumeMounts": [*packager["volumeMounts"], *handed]}


def _answer(
    job: TrainingJob, package: Package, samples: Samples, settings: Settings
) -> dict[str, Any]:
    """Return the container in which the archive's own handler answers the rows."""
    question = {
        "modelName": job.model_name,
        "tolerance": float(samples.tolerance),
        "timeoutSeconds": samples.timeout_seconds,
        **({"evaluate": samples.evaluate} if samples.evaluate else {}),
    }
    text = escaped(json.dumps(question))
    env = {**SCRATCH, **_ONE_THREAD, **_PICKLES, "SLIPWAY_SAMPLES": text}
    if package.optimize is not None:
        env["SLIPWAY_OPTIMIZE"] = json.dumps(package.optimize.to_wire())
    return {
        "name": names.ANSWERER,
        "image": samples.image or settings.python_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": pod_command("package.samples.answer"),
        "env": pairs(env),
        "resources": resources("answer", settings, samples.resources),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {**mount(_SCRATCH, BUILT, read_only=True), "subPath": MADE},
            mount(_ANSWERS, ANSWERS),
            mount(_ANSWER_SCRATCH, "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


_ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Sums have one order then, on whatever node the archive is made."""
_PICKLES = {"SLIPWAY_ALLOW_PICKLED_MODELS": "true"}
"""A pickle is code as the handler is, and there is nothing here that either could take."""
