"""Which Jobs and pods are listed when the operator begins: not those of what has ended.

A cluster that keeps 10,000 TrainingJobs of two pods has 20,000 Jobs and 20,000 pods of which no
plan reads any, at 12 KB each: written, sent and parsed they would be most of a start.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from slipway.kube.resources import CHILD_SELECTOR, JOBS, PODS
from slipway.kube.watched.watch import Query
from slipway.manifests import TRAINING_JOB

LISTED_BY_OWNERS = JOBS + PODS
"""The kinds that are listed after their owners, by which some are left out."""
NAMES_AT_ONCE = 64
"""Names of TrainingJobs in one request: 4 KiB of its URL at most."""
_RUN = "status.phase!=Succeeded,status.phase!=Failed"
_ENDED = "status.phase!=Pending,status.phase!=Running"
_NO_SUCCESS, _SOME_SUCCESS = "status.successful=0", "status.successful!=0"


def pods_worth_listing(going_on: Iterable[str]) -> Iterator[Query]:
    """Yield selectors of all pods but the ended ones of TrainingJobs that do not go on.

    A pod whose node does not answer (``Unknown``) is selected twice. The names are read when the
    first part has been listed, so that those that began meanwhile are among them.
    """
    yield {"labelSelector": CHILD_SELECTOR, "fieldSelector": _RUN}
    yield {"labelSelector": f"{CHILD_SELECTOR},!{TRAINING_JOB}", "fieldSelector": _ENDED}
    yield from _by_name(going_on, _ENDED)


def jobs_worth_listing(unsettled: Iterable[str]) -> Iterator[Query]:
    """Yield selectors of all Jobs but those of settled TrainingJobs, all of which had successes.

    The names are read when the first part has been listed, as for pods.
    """
    yield {"labelSelector": CHILD_SELECTOR, "fieldSelector": _NO_SUCCESS}
    yield from _by_name(unsettled, _SOME_SUCCESS)


def _by_name(jobs: Iterable[str], fields: str) -> Iterator[Query]:
    names = iter(sorted(set(jobs)))
    while some := list(islice(names, NAMES_AT_ONCE)):
        ours = f"{CHILD_SELECTOR},{TRAINING_JOB} in ({','.join(some)})"
        yield {"labelSelector": ours, "fieldSelector": fields}
