"""What the cluster tests share: namespaces, waiting on objects, asking models, measuring pods."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.harness import Kubectl, Object, plain_http
from tests.harness.waiting import wait_for

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
API = "slipway.dev/v1alpha1"
TRAIN = 420.0
"""Generous deadline for a small training run on a busy machine with two cores, in seconds."""
SERVE = 420.0
"""Generous deadline for a served model, in seconds."""
ANSWER_A_WORD = """
import pathlib


class Handler:
    def initialize(self, context):
        self.answer = pathlib.Path(context.system_properties["model_dir"], "model.pt").read_text()

    def handle(self, data, context):
        return [self.answer] * len(data)
"""
"""A handler that answers each request with what the script wrote."""
TRAIN_A_WORD = """
import os, pathlib, sys
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "model.pt").write_text(sys.argv[1])
"""
"""A script that writes its argument."""
SMALL = "20m"
"""What a pod asks for of the node's two CPUs, so that many fit on it at once."""


@dataclass(frozen=True)
class Space:
    """One namespace of a test, under restricted Pod Security."""

    kubectl: Kubectl

    @property
    def name(self) -> str:
        """The namespace's name."""
        return self.kubectl.namespace

    def apply(self, *manifests: Object) -> None:
        """Apply objects as a user does."""
        self.kubectl.apply(list(manifests))

    def job(self, name: str) -> Object:
        """Return a TrainingJob; an empty object where there is none."""
        return self.kubectl.get("trainingjob", name) or {}

    def deployment(self, name: str) -> Object:
        """Return a ModelDeployment; an empty object where there is none."""
        return self.kubectl.get("modeldeployment", name) or {}

    def pods(self, selector: str) -> list[Object]:
        """Return the pods with these labels."""
        return self.kubectl.list("pods", selector)

    def wait(self, kind: str, name: str, holds: Callable[[Object], Any], timeout: float) -> Object:
        """Return the object once a condition holds; fail with a report of the namespace."""

        def probe() -> Object | None:
            found = self.kubectl.get(kind, name)
            return found if found and holds(found) else None

        return wait_for(probe, timeout, f"{kind}/{name} is as wanted", lambda: self.report(), 1.0)

    def wait_until_gone(self, kind: str, selector: str, timeout: float = 240) -> None:
        """Return once no object of a kind has these labels."""

        def gone() -> bool:
            return not self.kubectl.list(kind, selector)

        wait_for(gone, timeout, f"no {kind} with {selector} are left", self.report)

    def wait_for_phase(self, name: str, *phases: str, timeout: float = TRAIN) -> Object:
        """Return a TrainingJob once it is in one of the phases."""
        return self.wait("trainingjob", name, lambda job: phase(job) in phases, timeout)

    def wait_until_ready(self, name: str, timeout: float = SERVE) -> Object:
        """Return a ModelDeployment once it is Ready for its newest generation."""
        return self.wait("modeldeployment", name, is_ready, timeout)

    def wait_for_pod(self, name: str) -> Object:
        """Return a pod once it is ready."""
        return self.wait(
            "pod", name, lambda it: condition(it, "Ready").get("status") == "True", 300
        )

    def wait_for_reason(
        self, kind: str, name: str, type_: str, reason: str, timeout: float = 240
    ) -> Object:
        """Return the condition of an object once it has this reason."""
        found = self.wait(
            kind, name, lambda it: condition(it, type_).get("reason") == reason, timeout
        )
        return condition(found, type_)

    def report(self) -> str:
        """Return what one would look at: objects, pods, events, and the ends of the logs."""
        run = self.kubectl.run
        parts = [
            run("get", "tj,mdep,jobs,pods", "-o", "wide"),
            run("get", "tj,mdep", "-o", "yaml"),
            run("get", "events", "--sort-by=.metadata.creationTimestamp"),
        ]
        for pod in self.kubectl.list("pods"):
            name = pod["metadata"]["name"]
            logs = ("logs", name, "--all-containers", "--prefix", "--tail=15")
            try:
                parts.append(f"--- {name}\n{run(*logs)}")
            except Exception as error:
                parts.append(f"--- {name}: {error}")
        return "\n".join(parts)


def phase(job: Object) -> str:
    """Return a TrainingJob's phase."""
    return str(job.get("status", {}).get("phase", ""))


def condition(it: Object, type_: str) -> Object:
    """Return a condition; an empty object where there is none."""
    found = it.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == type_), {})


def is_ready(deployment: Object) -> bool:
    """Tell whether a ModelDeployment is Ready for its newest generation."""
    status = deployment.get("status", {})
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return current and condition(deployment, "Ready").get("status") == "True"


def training_job(name: str, source: str, **spec: Any) -> Object:
    """Return a TrainingJob that runs ``main.py`` of a ConfigMap."""
    whole = {
        "source": {"configMap": {"name": source}},
        "entrypoint": "main.py",
        "resources": {"requests": {"cpu": SMALL, "memory": "256Mi"}},
        **spec,
    }
    return {"apiVersion": API, "kind": "TrainingJob", "metadata": {"name": name}, "spec": whole}


def model_deployment(name: str, model: Object, **spec: Any) -> Object:
    """Return a ModelDeployment of a small model; to an autoscaler a pod that starts is not busy."""
    cpu = "100m" if "autoscaling" in spec else SMALL
    server = {"resources": {"requests": {"cpu": cpu, "memory": "512Mi"}}}
    whole = {"model": model, "server": server, **spec}
    return {"apiVersion": API, "kind": "ModelDeployment", "metadata": {"name": name}, "spec": whole}


def source(name: str, **files: str) -> Object:
    """Return a ConfigMap of Python files: ``main="..."`` becomes ``main.py``."""
    data = {f"{stem}.py": text for stem, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def claim(name: str, size: str) -> Object:
    """Return a PersistentVolumeClaim of a size such as ``10Mi``."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def address(space: Space, name: str) -> str:
    """Return the base URL of a deployment's Service, by its cluster IP."""
    service = space.kubectl.get("service", name) or {}
    spec = service["spec"]
    return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"


def predict(space: Space, name: str, rows: Any, timeout: float = 60) -> Any:
    """Return a model's answer to one request."""
    answer = plain_http.post(f"{address(space, name)}/predict", json=rows, timeout=timeout)
    answer.raise_for_status()
    return answer.json()


def in_namespace(kubectl: Kubectl, name: str) -> Kubectl:
    """Return kubectl with another default namespace."""
    return replace(kubectl, namespace=name)


def processes_of(pod: Object) -> list[int]:
    """Return the processes of this machine that belong to a pod, the sandbox's own left out."""
    mark = f"pod{pod['metadata']['uid']}"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = mark in (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if inside and not command.startswith(b"/pause"):
            found.append(int(folder.name))
    return found


def execute(
    space: Space, pod: str, container: str, *command: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a container and return how it ended."""
    from dev import gotools

    argv = [
        str(gotools.path("kubectl")),
        f"--kubeconfig={space.kubectl.kubeconfig}",
        f"--namespace={space.name}",
        *("exec", pod, "-c", container, "--", *command),
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def load_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text())
