"""What the API server says to what it does not take."""

import json

import pytest

from tests.harness import Kubectl, KubectlError, Object


def refusal(kubectl: Kubectl, manifest: Object) -> str:
    """Return the words in which a new object is refused."""
    with pytest.raises(KubectlError) as refused:
        kubectl.create(manifest)
    return str(refused.value)


def refused_change(kubectl: Kubectl, manifest: Object, verb: str = "apply") -> str:
    """Return the words that a user reads whose ``kubectl apply`` of a changed object is refused."""
    with pytest.raises(KubectlError) as refused:
        kubectl.run(verb, "-f", "-", stdin=json.dumps(manifest))
    return str(refused.value)
