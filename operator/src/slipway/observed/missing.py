"""When what an object names is not there: told in its conditions at once, as a Warning later.

`kubectl apply` of a file creates its objects one after the other, and a watch may tell of the first
before the second is there. So of any object that a spec names (a TrainingJob, Secret, ConfigMap,
claim or account) the Warning waits for `GRACE_SECONDS`, and is left out if the object has come.
"""

import re
from collections.abc import Collection

GRACE_SECONDS = 30.0
"""For so long a named object may be missing before a Warning Event says so."""
_NAMED_IN_MESSAGE = re.compile(
    r'\b(?:persistentvolumeclaim|serviceaccount|secret|configmap) "[^"]{1,253}" not found'
)
"""What the scheduler and the API server say of a claim or an account that is not there.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/
volumebinding/volume_binding.go and .../plugin/pkg/admission/serviceaccount/admission.go
"""


def grace_seconds(reason: str, message: str, missing: Collection[str]) -> float:
    """Return how long a condition must say so before its Warning is written; 0 for at once.

    ``missing`` are the reasons that say of a named object that it is not there.
    """
    if reason in missing or _NAMED_IN_MESSAGE.search(message):
        return GRACE_SECONDS
    return 0.0
