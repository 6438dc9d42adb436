"""What a training was made of, beside its source: its image, and the inputs' digests.

Both are the word of index 0's pod, in its latest attempt; the status keeps them for packagings that
come when the pods are gone.
"""

import re
from collections.abc import Iterator, Sequence

from slipway.api import TrainingJob
from slipway.api.fields.claim import claim_and_path
from slipway.api.training.inputs import Input
from slipway.api.training.status import InputStatus
from slipway.training.children import names
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import last_word
from slipway.training.observed.pods import JobPod

_SHA256 = re.compile("[0-9a-f]{64}")
_IMAGE = re.compile("[^@]+@(sha256:[0-9a-f]{64})")
"""What the kubelet calls an image that came from a registry: its repository, and its digest there.

Any other it calls by its ID on the node: the SHA-256 of its configuration, not of its manifest.
"""


def image_digest(job: TrainingJob, live: JobView | None) -> str | None:
    """Return the registry's digest of the image that trained, with its algorithm.

    None where none was told.
    """
    images = (pod.main.image_id for pod in _first_pods(live))
    digests = [match[1] for image in images if (match := _IMAGE.fullmatch(image))]
    return digests[-1] if digests else job.status.image_digest


def inputs(
    job: TrainingJob, live: JobView | None, before: Sequence[InputStatus] | None = None
) -> list[InputStatus] | None:
    """Return the inputs whose digest is known, in the spec's order; None where there is none.

    A container of the operator's has read them: what lies in a claim is read for a digest alone.
    Those ``before`` are the status' where absent; of another job's archive no pod has a say.
    """
    known = {each.name: each for each in before or job.status.inputs or ()}
    chosen = {name for name, each in known.items() if each.uri}
    for pod in _first_pods(live):
        told = {name: sha256 for name, sha256 in _brought(pod) if name not in chosen}
        known |= {name: InputStatus(name=name, sha256=sha256) for name, sha256 in told.items()}
    statuses = [known[e.name] for e in job.spec.inputs if e.name in known and _is_read(e)]
    return statuses or None


def _is_read(given: Input) -> bool:
    return bool(given.sha256 or given.uri is None or not claim_and_path(given.uri))


def _first_pods(live: JobView | None) -> list[JobPod]:
    """Return the pods of index 0, the oldest first."""
    pods = [pod for pod in (live.pods if live else ()) if pod.index == 0]
    return sorted(pods, key=lambda pod: pod.created)


def _brought(pod: JobPod) -> Iterator[tuple[str, str]]:
    for container in pod.containers:
        word = last_word(container) if container.name.startswith(names.INPUT) else None
        if word is not None and _SHA256.fullmatch(digest := word.string("sha256")):
            yield container.name.removeprefix(names.INPUT), digest
