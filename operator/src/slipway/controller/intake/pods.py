"""Which pods are listed when the operator begins: not those of what has ended.

A cluster that keeps 10,000 TrainingJobs of two pods has 20,000 pods of which no plan reads any, at
12 KB each: written, sent and parsed they would be most of a start.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from slipway.kube.resources import CHILD_SELECTOR
from slipway.kube.watched.watch import Query
from slipway.manifests import TRAINING_JOB

NAMES_AT_ONCE = 64
"""Names of TrainingJobs in one request: 4 KiB of its URL at most."""
_RUN = "status.phase!=Succeeded,status.phase!=Failed"
_ENDED = "status.phase!=Pending,status.phase!=Running"


def pods_worth_listing(going_on: Iterable[str]) -> Iterator[Query]:
    """Yield selectors of all pods but the ended ones of TrainingJobs that do not go on.

    A pod whose node does not answer (``Unknown``) is selected twice. The names are read when the
    first part has been listed, so that those that began meanwhile are among them.
    """
    yield {"labelSelector": CHILD_SELECTOR, "fieldSelector": _RUN}
    yield {"labelSelector": f"{CHILD_SELECTOR},!{TRAINING_JOB}", "fieldSelector": _ENDED}
    names = iter(sorted(set(going_on)))
    while some := list(islice(names, NAMES_AT_ONCE)):
        ours = f"{CHILD_SELECTOR},{TRAINING_JOB} in ({','.join(some)})"
        yield {"labelSelector": ours, "fieldSelector": _ENDED}
