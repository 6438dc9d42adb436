"""The main job, from ``kubectl apply`` to a prediction, told step by step."""

import json
import re
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dev import gotools, kind, packages, paths, release
from dev.cluster import layout
from dev.cluster.up import PROGRAMS, start_containerd, up
from dev.errors import DevError
from dev.kubectl import Kubectl
from dev.steps import aside, say, step

QUICKSTART = paths.REPOSITORY / "examples" / "quickstart"
REQUEST = QUICKSTART / "src" / "request.json"
NAMESPACE = "slipway-demo"
NAME = "diabetes"
TIMEOUT = 900.0
LOCAL = "local"
CURRENT = "current"
KIND = "kind"
END = {
    LOCAL: " `make down` ends the local cluster.",
    KIND: f" `kind delete cluster --name={kind.NAME}` ends kind's cluster.",
}
"""What ends a cluster that the demo has made."""

Object = dict[str, Any]


def demo(cluster: str, image_registry: str) -> None:
    """Run the quickstart on the local cluster, on kind's or on the kubeconfig's current one."""
    start = time.monotonic()
    kubectl = _ready(cluster, image_registry)
    _apply(kubectl)
    with step("Training on two pods, then packaging the model"):
        _follow(kubectl, "trainingjob", _training_line, _trained)
    with step("Starting a server for the model"):
        _follow(kubectl, "modeldeployment", _serving_line, _served)
    _predict(kubectl, cluster)
    print(f"\n$ kubectl -n {NAMESPACE} get tj,mdep -o wide")
    print(kubectl("get", "tj,mdep", "--output=wide").strip())
    look_around(kubectl)
    say(f"\n--> Done after {time.monotonic() - start:.0f} s.{END.get(cluster, '')}")


def _ready(cluster: str, image_registry: str) -> Kubectl:
    if cluster == LOCAL:
        return _local()
    return _kind() if cluster == KIND else _current(image_registry)


def _local() -> Kubectl:
    packages.ensure(packages.CLUSTER | packages.IMAGES)
    start_containerd()
    with aside(release.load_images):  # waits for the network and the disk, Go for the processor
        gotools.ensure((*PROGRAMS, "slipway-store", "helm"))
        up()
    release.install_locally()
    return Kubectl(layout.KUBECONFIG, NAMESPACE)


def _kind() -> Kubectl:
    images = kind.up()
    gotools.ensure(["kubectl", "helm"])
    with step(f"Installing the chart into namespace {release.NAMESPACE} of kind's cluster"):
        release.Release(kind.kubeconfig(), release.image_values(images)).install()
    return Kubectl(kind.kubeconfig(), NAMESPACE)


def _current(image_registry: str) -> Kubectl:
    if not image_registry:
        raise DevError("Set IMAGE_REGISTRY to where slipway-operator and the other images lie.")
    gotools.ensure(["kubectl", "helm"])
    with step(f"Installing the chart into namespace {release.NAMESPACE} of the current cluster"):
        release.Release(None, ("--set", f"images.registry={image_registry}")).install()
    return Kubectl(None, NAMESPACE)


def _apply(kubectl: Kubectl) -> None:
    if kubectl.get("namespace", NAMESPACE):
        with step("Deleting the quickstart of an earlier run"):
            # Its server drains beside the new training: nothing waits for that.
            kubectl("delete", "--ignore-not-found", f"modeldeployment/{NAME}")
            kubectl("delete", "--ignore-not-found", "--cascade=foreground", f"trainingjob/{NAME}")
    with step(f"kubectl apply -f {QUICKSTART.relative_to(paths.REPOSITORY)}"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
        say(_indented(kubectl("apply", "-f", str(QUICKSTART))))


def _follow(kubectl: Kubectl, kind: str, line: Any, done: Any) -> None:
    """Show an object's state whenever it changes, until it is done or has failed."""
    shown = ""
    with closing(kubectl.watch(kind, NAME, TIMEOUT)) as versions:
        for found in versions:
            if (now := line(found)) != shown:
                say(_indented(now))
                shown = now
            if done(found):
                return
    end = f"The end of this (see `kubectl describe {kind} {NAME}`)"
    raise DevError(f"{end} did not happen within {TIMEOUT:.0f} s.")


def _training_line(job: Object) -> str:
    status = job.get("status", {})
    progress = status.get("progress") or {}
    parts = [f"{status.get('phase', 'Pending'):10}"]
    if progress:
        parts.append(f"step {progress.get('step')} of {progress.get('totalSteps', '?')}")
        parts.append(f"{progress.get('percent', 0)} %")
        parts += [f"{name} {value}" for name, value in (progress.get("metrics") or {}).items()]
    return "  ".join(parts)


def _trained(job: Object) -> bool:
    status = job.get("status", {})
    if status.get("phase") == "Failed":
        raise DevError(f"The training failed: {_reason(status, 'Failed')}")
    return bool(status.get("phase") == "Succeeded")


def _serving_line(deployment: Object) -> str:
    condition = _condition(deployment.get("status", {}), "Ready")
    return f"{condition.get('reason', 'Pending')}: {condition.get('message', '')}"


def _served(deployment: Object) -> bool:
    status = deployment.get("status", {})
    return bool(_condition(status, "Ready").get("status") == "True")


def _condition(status: Object, type_: str) -> Object:
    found = status.get("conditions") or []
    return next((each for each in found if each["type"] == type_), {})


def _reason(status: Object, type_: str) -> str:
    return str(_condition(status, type_).get("message", "its conditions do not say why"))


def _predict(kubectl: Kubectl, cluster: str) -> None:
    request = REQUEST.relative_to(paths.REPOSITORY)
    with _address(kubectl, cluster) as address:
        with step("Asking the model, through its Service"):
            answer = _post(f"{address}/predict", REQUEST)
        print(f"\nrequest  {json.dumps(json.loads(REQUEST.read_text()))}")
        print(f"answer   {json.dumps(answer)}\n")
        print("To repeat it:")
        if cluster == KIND:
            print(f"  export KUBECONFIG={kind.kubeconfig()}")
        if cluster != LOCAL:
            port = address.rpartition(":")[2]
            print(f"  kubectl -n {NAMESPACE} port-forward service/{NAME} {port}:80 &")
        print(f"  curl -X POST {address}/predict --json @{shlex.quote(str(request))}")


def look_around(kubectl: Kubectl) -> None:
    """Say how to give further commands: the cluster, the programs and the namespace."""
    folders = dict.fromkeys(str(gotools.path(program).parent) for program in ("kubectl", "helm"))
    print("\nTo look around:")
    if kubectl.kubeconfig:
        print(f"  export KUBECONFIG={kubectl.kubeconfig}")
    print(f"  export PATH={':'.join(folders)}:$PATH    # kubectl and helm")
    print(f"  kubectl -n {kubectl.namespace} get tj,mdep,pods")


@contextmanager
def _address(kubectl: Kubectl, cluster: str) -> Iterator[str]:
    """Yield the base URL at which this machine reaches the model's Service."""
    if cluster == LOCAL:
        yield f"http://{kubectl.get('service', NAME)['spec']['clusterIP']}"
        return
    argv = kubectl.argv("port-forward", f"service/{NAME}", ":80")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as forward:
        try:
            line = forward.stdout.readline() if forward.stdout else ""
            if not (found := re.search(r"127\.0\.0\.1:(\d+)", line)):
                raise DevError("kubectl port-forward did not start; see its message above.")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            forward.terminate()


def _post(url: str, body: Path) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.read_bytes(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())
