"""Playing the kubelet and the scheduler: pods are placed, run, end, and are gone when deleted."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.contract.operator import play
from tests.harness import Kubectl, KubectlError, Object
from tests.harness.waiting import wait_for

Begin = Callable[..., "Kubelet"]
"""Creates a TrainingJob by its name and fields, and returns who plays its pods."""
ATTEMPT = "slipway.dev/attempt"
LONG = 180.0
"""Generous time for what controllers do, in seconds; the Job controller waits up to a minute."""


@dataclass(frozen=True)
class Kubelet:
    """The pods of one TrainingJob; a real Job controller makes them."""

    kubectl: Kubectl
    name: str

    def pods(self, attempt: int | None = None) -> list[Object]:
        """Return the training pods in the order of their indexes."""
        selector = f"slipway.dev/training-job={self.name},slipway.dev/component=trainer"
        chosen = selector if attempt is None else f"{selector},{ATTEMPT}={attempt}"
        found = self.kubectl.list("pods", chosen)
        return sorted(found, key=lambda pod: str(pod["metadata"]["labels"][play.INDEX]))

    def run(self, count: int = 2, attempt: int = 0) -> list[str]:
        """Place and run all pods of an attempt once they are there; return their names."""

        def made() -> list[Object] | None:
            pods = [pod for pod in self.pods(attempt) if not _going(pod)]
            return pods if len(pods) == count else None

        pods = wait_for(made, LONG, f"{count} pods of attempt {attempt} are made", self.report)
        for pod in pods:
            self._place(pod)
            play.run_pod(self.kubectl, pod["metadata"]["name"])
        return [pod["metadata"]["name"] for pod in pods]

    def _place(self, pod: Object) -> None:
        """Bind a pod to a node, so that its deletion waits for the kubelet's word."""
        if pod["spec"].get("nodeName"):
            return
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        self.kubectl.post("pods", f"{name}/binding", body)

    def end(self, names: Iterable[str], code: int = 0, **word: object) -> None:
        """Let pods end with an exit code and a last word."""
        for name in names:
            play.end_pod(self.kubectl, name, code, word or play.trained())

    def leave(self, count: int, but: str = "") -> None:
        """Wait until so many pods are told to go, and let them end and be gone but for one."""

        def told() -> list[Object] | None:
            pods = [pod for pod in self.pods() if _going(pod) and pod["metadata"]["name"] != but]
            return pods if len(pods) >= count else None

        for pod in wait_for(told, LONG, f"{count} pods are told to go", self.report):
            self.stop(pod["metadata"]["name"])

    def stop(self, name: str) -> None:
        """Let one deleted pod end by SIGTERM and its object go."""
        try:
            play.end_pod(self.kubectl, name, 143, {"reason": "Stopped", "exitCode": 143})
            self.kubectl.delete("pod", name, wait=False, grace=0)
        except (KubectlError, AssertionError):
            return  # a pod without a finalizer is gone with its kubelet's word

    def delete(self, name: str) -> None:
        """Delete a pod as a user does."""
        self.kubectl.delete("pod", name, wait=False)

    def evict(self, name: str) -> None:
        """Evict a pod as ``kubectl drain`` does."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        self.kubectl.post("pods", f"{name}/eviction", body)

    def status(self) -> Object:
        """Return the TrainingJob's status."""
        found: Object = (self.kubectl.get("trainingjob", self.name) or {}).get("status", {})
        return found

    def reason(self, type_: str) -> str:
        """Return a condition as ``Status:Reason``."""
        found = (one for one in self.status().get("conditions", ()) if one["type"] == type_)
        return next((f"{one['status']}:{one['reason']}" for one in found), "")

    def wait(self, type_: str, state: str) -> None:
        """Wait until a condition is ``Status:Reason``."""
        wait_for(lambda: self.reason(type_) == state, LONG, f"{type_} is {state}", self.report)

    def phase(self, phase: str) -> Object:
        """Return the status once the job has a phase."""
        return play.wait_phase(self.kubectl, self.name, phase)["status"]  # type: ignore[no-any-return]

    def change(self, **spec: object) -> None:
        """Change the spec as a user does."""
        self.kubectl.patch("tj", self.name, {"spec": spec})

    def uid(self, role: str = "train") -> str:
        """Return the UID of one of the job's Jobs; empty where it is not there."""
        job = self.kubectl.get("job", f"{self.name}-{role}") or {}
        return str(job.get("metadata", {}).get("uid", ""))

    def pod_of(self, role: str) -> str:
        """Return the name of the only pod of one of the job's Jobs as it is now, once it is there.

        A Job that was deleted had the same name, and its pods may go after it.
        """

        def made() -> Object | None:
            uid = self.uid(role)
            pods = self.kubectl.list("pods", f"batch.kubernetes.io/controller-uid={uid or 'none'}")
            pods = [pod for pod in pods if not _going(pod)]
            return pods[0] if len(pods) == 1 else None

        found = wait_for(made, LONG, f"the pod of {self.name}-{role} is made", self.report)
        return str(found["metadata"]["name"])

    def report(self) -> str:
        """Return what one would look at."""
        run = self.kubectl.run
        jobs = run("get", "jobs,pods", "-o", "wide")
        return f"{jobs}\n{json.dumps(self.status(), indent=1)}"


def _going(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def finish(job: Kubelet, names: list[str]) -> None:
    """Let the training and the packaging end well."""
    job.end(names)
    package(job)


def package(job: Kubelet) -> None:
    """Let the packaging end well."""
    play.end_pod(job.kubectl, job.pod_of("package"), 0, play.packaged(job.name))
    job.phase("Succeeded")
