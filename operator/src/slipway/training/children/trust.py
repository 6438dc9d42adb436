"""What makes an archive believed: the packaging pod's keys, and the record of its origin."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.api import TrainingJob
from slipway.api.training.package import Package
from slipway.api.trust.encryption import Encryption
from slipway.api.trust.keys import SecretKeyReference
from slipway.manifests import child, container_security, labels, pod_security
from slipway.opened import KEYSET, Opened, key_file
from slipway.plan import Manifest
from slipway.pods.placement import pull_secrets
from slipway.pods.resources import resources
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.gates import Served
from slipway.training.children.pod.agent import own_image
from slipway.training.children.pod.inputs import recorded
from slipway.uris import scrubbed, shown

PRIVATE_KEY = "/slipway/keys/signature/private.pem"
"""Where `slipway_pods.trust.packaged` finds the key that signs."""
SUFFIX = ".sig"
"""What the name of an archive's signature has behind the archive's own."""

NEEDED = "slipway.dev/needed-keys"
"""Label of the Job that waits for keys with what stands for them."""
_TRIES = 6
"""How often a pod that waits for keys may be lost before its Job is made anew."""
MOST_LABELS = 64
"""How many of a TrainingJob's labels are recorded, the first ones in their order."""


@dataclass(frozen=True)
class Trained:
    """What the training ran, and said last.

    That is its image, by name and digest, of a source that was fetched the revision, and of inputs
    the digests that are known, by name. ``reported`` has the metrics of its last report, as decimal
    text. ``served`` is the archive that `package.comparedWith` serves meanwhile, if it does.
    """

    image: str
    revision: str | None = None
    image_digest: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    reported: Mapping[str, str] = field(default_factory=dict)
    served: Served | None = None


def encryption(job: TrainingJob, package: Package, number: int) -> Encryption | None:
    """Return how the archive of a job's packaging is encrypted; None where it is not.

    It is bound to its place in the store, so that no archive passes for another one.
    """
    if package.encrypt is None:
        return None
    meta = job.metadata
    archive = f"{job.model_name}-{job.package_version(number)}.mar"
    place = (meta.namespace, meta.name, meta.uid, str(number), archive)
    return Encryption(
        key_secret_ref=package.encrypt.key_secret_ref, associated_data="/".join(place)
    )


def signature_uri(uri: str, package: Package | None) -> str | None:
    """Return where the signature of an archive at a URI goes; None where there is to be none."""
    return f"{uri}{SUFFIX}" if package and package.sign else None


def documents(lineage: str, word: Mapping[str, Any]) -> dict[str, str]:
    """Return where the documents beside a lineage record lie, which packagers of 0.2.0 made not."""
    if word.get("hasProvenance") is not True:
        return {}
    folder = lineage.rpartition("/")[0]
    return {"provenanceUri": f"{folder}/provenance.json", "bomUri": f"{folder}/bom.cdx.json"}


def keys(package: Package | None) -> tuple[Opened, ...]:
    """Return what gives the packager its keys."""
    encrypt, sign = (package.encrypt, package.sign) if package else (None, None)
    return (
        *((key_file(encrypt.key_secret_ref, KEYSET),) if encrypt else ()),
        *((key_file(sign.key_secret_ref, PRIVATE_KEY),) if sign else ()),
    )


def keys_job(job: TrainingJob, settings: Settings) -> Manifest | None:
    """Return the Job that ends once the package's keys are there; None where it needs none.

    Its pod has no code of a user's, and does nothing: the kubelet does not start it before, and
    says which Secret or which key of it is missing. The operator itself may not read Secrets.
    """
    needed = _references(job.spec.package)
    if not needed:
        return None
    head = child(job, "batch/v1", "Job", names.keys_name(job), names.KEYS)
    head["metadata"]["labels"] |= {NEEDED: needed_digest(job)}
    env = [
        {"name": f"KEY_{at}", "valueFrom": {"secretKeyRef": {"name": each.name, "key": each.key}}}
        for at, each in enumerate(needed)
    ]
    container = {
        "name": names.KEYS,
        **own_image(settings),
        "command": ["python3", "-I", "-c", "pass"],
        "env": env,
        "resources": resources("hooks", settings),
        "securityContext": container_security(),
    }
    pod = {
        **pod_security(),
        **pull_secrets(job.spec, settings),
        "restartPolicy": "Never",
        "containers": [container],
    }
    template = {"metadata": {"labels": labels(job, names.KEYS)}, "spec": pod}
    counts = {"completions": 1, "parallelism": 1, "backoffLimit": _TRIES}
    return {**head, "spec": {**counts, "template": template}}


def needed_digest(job: TrainingJob) -> str:
    """Return 16 hexadecimal digits that stand for the keys that a job's package needs."""
    pairs = [(each.name, each.key) for each in _references(job.spec.package)]
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def _references(package: Package | None) -> list[SecretKeyReference]:
    encrypt, sign = (package.encrypt, package.sign) if package else (None, None)
    return [
        *([encrypt.key_secret_ref] if encrypt else []),
        *([sign.key_secret_ref] if sign else []),
    ]


def variables(job: TrainingJob, package: Package, number: int) -> dict[str, str]:
    """Return what the packager is told."""
    encrypted = encryption(job, package, number)
    return {"SLIPWAY_ASSOCIATED_DATA": encrypted.associated_data} if encrypted else {}


def lineage(job: TrainingJob, trained: Trained) -> dict[str, Any]:
    """Return what is recorded of the training: no variables, and URIs without what opens them."""
    program = {
        "source": _source(job),
        "entrypoint": job.spec.entrypoint,
        "module": job.spec.module,
        "command": [scrubbed(word) for word in job.spec.command or ()],
        "sourceRevision": trained.revision,
        "imageDigest": trained.image_digest,
        "inputs": [recorded(job, one, trained.inputs) for one in job.spec.inputs],
        "metrics": dict(trained.reported),
        "labels": dict(sorted(job.metadata.labels.items())[:MOST_LABELS]),
    }
    return {
        "namespace": job.metadata.namespace,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "image": trained.image,
        "args": [scrubbed(argument) for argument in job.spec.args],
        "nodes": job.spec.nodes,
        **{name: value for name, value in program.items() if value},
    }


def _source(job: TrainingJob) -> dict[str, Any] | None:
    if job.spec.source is None:
        return None
    found: dict[str, Any] = job.spec.source.to_wire()
    for kind, place in (("git", "url"), ("archive", "uri")):
        if kind in found:
            found[kind] = {**found[kind], place: shown(found[kind][place])}
    return found
