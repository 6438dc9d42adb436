"""Playing Kubernetes' controllers where none run: the Job controller and the kubelet."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.harness import Kubectl, Object
from tests.harness.waiting import wait_for

SHA = "ab" * 32
INDEX = "batch.kubernetes.io/job-completion-index"


def now() -> str:
    """Return the present moment as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wait_object(kubectl: Kubectl, kind: str, name: str) -> Object:
    """Return an object once it is there."""
    return wait_for(lambda: kubectl.get(kind, name), 120, f"{kind} {name} exists")


def wait_phase(kubectl: Kubectl, name: str, phase: str) -> Object:
    """Return a TrainingJob once it has a phase."""

    def probe() -> Object | None:
        found = kubectl.get("trainingjob", name) or {}
        return found if found.get("status", {}).get("phase") == phase else None

    def report() -> str:
        return json.dumps((kubectl.get("trainingjob", name) or {}).get("status"), indent=1)

    return wait_for(probe, 120, f"the phase of {name} is {phase}", report)


def source(name: str = "source") -> Object:
    """Return a ConfigMap with a script."""
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"train.py": "1"}}


def training_job(name: str = "job", **spec: Any) -> Object:
    """Return a TrainingJob of two pods that is packaged."""
    base = {
        "source": {"configMap": {"name": "source"}},
        "entrypoint": "train.py",
        "nodes": 2,
        "package": {"serializedFile": "model.pt", "handler": "image_classifier"},
    }
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {**base, **spec},
    }


def _status(kubectl: Kubectl, kind: str, name: str, status: Object) -> None:
    kubectl.patch(kind, f"{name}/status", {"status": status})


def make_pods(kubectl: Kubectl, job: Object) -> list[str]:
    """Create a Job's pods, as the Job controller does, and return their names."""
    meta, spec = job["metadata"], job["spec"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    names = []
    for index in range(spec["completions"]):
        template = spec["template"]
        name = f"{meta['name']}-{index}-{meta['uid'][:5]}"
        labels = {**template["metadata"]["labels"], INDEX: str(index)}
        head = {"name": name, "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
        kubectl.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": template["spec"]}
        )
        names.append(name)
    _status(kubectl, "job", meta["name"], {"active": len(names), "startTime": now()})
    return names


def run_pod(kubectl: Kubectl, name: str) -> None:
    """Let a pod run, as the kubelet tells it."""
    container = _main(kubectl, name)
    state = {"running": {"startedAt": now()}}
    _status(kubectl, "pod", name, {"phase": "Running", **_containers(container, state, ready=True)})


def hold_pod(kubectl: Kubectl, name: str, reason: str, message: str) -> None:
    """Let a pod's main container wait, for what the kubelet says."""
    state = {"waiting": {"reason": reason, "message": message}}
    told = _containers(_main(kubectl, name), state, ready=False)
    _status(kubectl, "pod", name, {"phase": "Pending", **told})


def end_pod(kubectl: Kubectl, name: str, code: int, message: Object) -> None:
    """Let a pod's main container end with an exit code and a termination message."""
    container = _main(kubectl, name)
    terminated = {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "startedAt": now(),
        "finishedAt": now(),
        "message": json.dumps(message),
    }
    phase = "Failed" if code else "Succeeded"
    state = {"terminated": terminated}
    _status(kubectl, "pod", name, {"phase": phase, **_containers(container, state, ready=False)})


def _main(kubectl: Kubectl, pod: str) -> Object:
    found = kubectl.get("pod", pod)
    assert found
    container: Object = found["spec"]["containers"][0]
    return container


def _containers(container: Object, state: Object, *, ready: bool) -> Object:
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "sha256:0",
        "state": state,
        "ready": ready,
        "restartCount": 0,
    }
    return {"containerStatuses": [status]}


def complete_job(kubectl: Kubectl, job: Object) -> None:
    """Let a Job end well, as the Job controller tells it."""
    name, count, moment = job["metadata"]["name"], job["spec"]["completions"], now()
    both = [_job_condition(type_, moment) for type_ in ("SuccessCriteriaMet", "Complete")]
    counts = {"active": 0, "succeeded": count}
    _status(kubectl, "job", name, {**counts, "conditions": both[:1]})
    status = {**counts, "completionTime": moment, "conditions": both}
    if job["spec"].get("completionMode") == "Indexed":
        status["completedIndexes"] = f"0-{count - 1}" if count > 1 else "0"
    _status(kubectl, "job", name, status)


def _job_condition(type_: str, moment: str) -> Object:
    return {
        "type": type_,
        "status": "True",
        "lastTransitionTime": moment,
        "lastProbeTime": moment,
        "reason": "CompletionsReached",
        "message": "Reached expected number of succeeded pods",
    }


def trained() -> Object:
    """Return the first pod's last word after a training that went well."""
    output = {"uri": "s3://slipway/outputs", "files": 2, "sizeBytes": 2048}
    return {"reason": "Completed", "exitCode": 0, "output": output}


def packaged(name: str = "job") -> Object:
    """Return the packager's last word."""
    package = {
        "uri": f"s3://slipway/models/{name}-1.0.mar",
        "sha256": SHA,
        "sizeBytes": 1234,
        "modelName": name,
        "modelVersion": "1.0",
        "lineageUri": "s3://slipway/models/lineage.json",
    }
    return {"reason": "Packaged", "package": package}


def train(kubectl: Kubectl, name: str = "job") -> None:
    """Let a TrainingJob's pods run and end well."""
    job = wait_object(kubectl, "job", f"{name}-train")
    pods = make_pods(kubectl, job)
    for pod in pods:
        run_pod(kubectl, pod)
    wait_phase(kubectl, name, "Running")
    for pod in pods:
        end_pod(kubectl, pod, 0, trained())
    complete_job(kubectl, job)


def rejected(name: str = "job", value: str = "0.87") -> Object:
    """Return the packager's last word on an archive that missed its only gate."""
    word = packaged(name)
    word["package"]["gates"] = [{"verdict": "Failed", "value": value}]
    return {**word, "reason": "Rejected"}


def package(kubectl: Kubectl, name: str = "job", word: Object | None = None) -> Object:
    """Let the packaging Job run and end well; return the TrainingJob as it is when it has ended.

    A last ``word`` of the packager's is one by which the job fails.
    """
    job = wait_object(kubectl, "job", f"{name}-package")
    (pod,) = make_pods(kubectl, job)
    run_pod(kubectl, pod)
    end_pod(kubectl, pod, 0, word or packaged(name))
    complete_job(kubectl, job)
    return wait_phase(kubectl, name, "Failed" if word else "Succeeded")


def model_deployment(name: str = "model", **spec: Any) -> Object:
    """Return a ModelDeployment of an archive at a URI, with two replicas and an autoscaler."""
    base = {
        "model": {"uri": "https://models.example/model.mar", "sha256": SHA},
        "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    }
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {**base, **spec},
    }


def is_true(kubectl: Kubectl, condition: str, name: str = "model") -> bool:
    """Tell whether a ModelDeployment's condition is true."""
    status = (kubectl.get("modeldeployment", name) or {}).get("status", {})
    found = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return found.get(condition) == "True"


def roll_out(kubectl: Kubectl, name: str = "model") -> None:
    """Let a Deployment's pods come up one after the other, as its controllers tell it."""
    count = 2

    def told() -> Object | None:
        live = kubectl.get("deployment", name)
        return live if live and live["spec"]["replicas"] == count else None

    found = wait_for(told, 120, f"deployment {name} is told its replicas")
    moment = now()
    for ready in range(count + 1):
        true = {"lastUpdateTime": moment, "lastTransitionTime": moment, "message": ""}
        available = "True" if ready == count else "False"
        progressing = "NewReplicaSetAvailable" if ready == count else "ReplicaSetUpdated"
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": count - ready,
            "conditions": [
                {"type": "Available", "status": available, "reason": "Minimum", **true},
                {"type": "Progressing", "status": "True", "reason": progressing, **true},
            ],
        }
        _status(kubectl, "deployment", name, status)


def bring_up(kubectl: Kubectl, name: str, ready: int | None = None) -> None:
    """Let all pods of a Deployment be of its template, and so many of them be ready."""
    live = wait_object(kubectl, "deployment", name)
    count = live["spec"]["replicas"]
    available = count if ready is None else ready
    status = {
        "observedGeneration": live["metadata"]["generation"],
        "replicas": count,
        "updatedReplicas": count,
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": count - available,
    }
    _status(kubectl, "deployment", name, status)


def serving_pod(kubectl: Kubectl, name: str) -> str:
    """Create a ready pod of a Deployment, as its controllers do, and return its name."""
    live = wait_object(kubectl, "deployment", name)
    template, pod = live["spec"]["template"], f"{name}-pod"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "0"}
    head = {
        "name": pod,
        "labels": template["metadata"]["labels"],
        "ownerReferences": [{**owner, "controller": True}],
    }
    kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": template["spec"]})
    ready = {"type": "Ready", "status": "True"}
    _status(kubectl, "pod", pod, {"phase": "Running", "conditions": [ready]})
    return pod


def fail_server(kubectl: Kubectl, pod: str, word: Object, restarts: int = 1) -> None:
    """Let a pod's server end by its own watcher's word, and wait to be started again."""
    container = _main(kubectl, pod)
    ended = {"exitCode": 143, "reason": "Error", "finishedAt": now(), "message": json.dumps(word)}
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    told = _containers(container, state, ready=False)
    told["containerStatuses"][0] |= {"lastState": {"terminated": ended}, "restartCount": restarts}
    unready = {"type": "Ready", "status": "False"}
    _status(kubectl, "pod", pod, {"phase": "Running", "conditions": [unready], **told})
