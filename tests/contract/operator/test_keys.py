"""A package's keys are waited for before the training, by a pod that the operator's fence takes."""

from collections.abc import Callable

import pytest

from tests.contract.operator import play
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.harness import Object
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("controllers")]
PACKAGE = {"serializedFile": "model.pt", "handler": "image_classifier"}
SIGN = {"sign": {"keySecretRef": {"name": "signer", "key": "private.pem"}}}
ENCRYPT = {"encrypt": {"keySecretRef": {"name": "keyset", "key": "keyset.json"}}}
NO_SECRET = 'secret "{}" not found'
NO_KEY = "couldn't find key {} in Secret default/{}"


def waiting(job: Kubelet) -> str:
    """Return the name of the pod that waits for the keys, once there is one."""
    return job.pod_of("keys")


def told(job: Kubelet, word: str) -> Callable[[], bool]:
    def probe() -> bool:
        found = job.status().get("conditions", ())
        return any(word in one["message"] for one in found if one["type"] == "Created")

    return probe


@pytest.mark.parametrize("opened", [SIGN, {**ENCRYPT, **SIGN}])
def test_a_training_waits_for_the_keys_that_its_package_needs(begin: Begin, opened: Object) -> None:
    job = begin(package={**PACKAGE, **opened})
    pod = waiting(job)
    job.wait("Created", "False:CheckingKeys")
    missing = [NO_SECRET.format(one["keySecretRef"]["name"]) for one in opened.values()]
    for why in (*missing, NO_KEY.format("private.pem", "signer")):
        play.hold_pod(job.kubectl, pod, "CreateContainerConfigError", why)
        wait_for(told(job, why), 120, f"it is told that {why}", job.report)
        assert job.reason("Created") == "False:SecretNotFound"
    assert job.uid() == "", "nothing trains before"
    play.end_pod(job.kubectl, pod, 0, {})
    job.run()
    job.phase("Running")


def test_a_wait_for_keys_is_begun_anew_when_the_package_names_others(begin: Begin) -> None:
    job = begin(package={**PACKAGE, **SIGN})
    first = waiting(job)
    play.hold_pod(job.kubectl, first, "CreateContainerConfigError", NO_SECRET.format("signer"))
    wait_for(told(job, "signer"), 120, "it is told", job.report)
    other = {"sign": {"keySecretRef": {"name": "another", "key": "private.pem"}}}
    job.change(package={**PACKAGE, **other})
    wait_for(lambda: waiting(job) != first, 180, "another pod waits", job.report)
    play.end_pod(job.kubectl, waiting(job), 0, {})
    job.run()
    job.phase("Running")
