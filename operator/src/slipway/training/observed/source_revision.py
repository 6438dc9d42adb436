"""Which commit or archive a job's source was, by the word of the container that brought it."""

import re

from slipway.api import TrainingJob
from slipway.training.children import names
from slipway.training.observed.jobs import JobView
from slipway.training.observed.last_words import last_word

REVISION = re.compile("[0-9a-f]{40,64}")
"""A commit's hash or an archive's digest, in hexadecimal."""


def source_revision(job: TrainingJob, live: JobView | None) -> str | None:
    """Return the commit or digest that index 0 fetched last; None where none was fetched."""
    pods = [pod for pod in (live.pods if live else ()) if pod.index == 0]
    containers = [
        container for pod in pods for container in pod.containers if container.name == names.SOURCE
    ]
    words = [word for container in containers if (word := last_word(container))]
    revisions = [
        revision for word in words if REVISION.fullmatch(revision := word.string("revision"))
    ]
    return revisions[-1] if revisions else job.status.source_revision
