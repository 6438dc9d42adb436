"""Installing, upgrading and removing the release, on a cluster that has nothing of it at first.

These tests take the release away that the others share, and its store; so they come last.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import release
from dev.images import node, product
from install.generate import MANIFEST
from slipway.selftest import manifests
from tests.cluster.load import steady_load
from tests.cluster.support import Space, address, predict, source, training_job
from tests.cluster.test_release import helm
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.alone]
BEFORE = Path(__file__).parents[1] / "releases" / "before.tar.xz"
"""The sources of the release before: chart, operator and images."""
POINTS = [0.0, 3.0]
WAITS = """
import os, pathlib, time
while not pathlib.Path("/tmp/go").exists():
    time.sleep(0.2)
if os.environ["RANK"] == "0":
    pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "model.pt").write_bytes(b"x" * 1000)
"""
CRDS = ("trainingjobs.slipway.dev", "modeldeployments.slipway.dev")
SERVED = "v1alpha1.slipway.dev"
NOT_OURS = (
    "node",
    "persistentvolume/",
    f"namespace/{release.NAMESPACE}",
    "configmap/kube-root-ca.crt",
    "serviceaccount/default",
)
"""What a namespace always has, and what comes and goes by itself."""
VOLATILE = ("events", "events.events.k8s.io", "endpoints", "pods.metrics.k8s.io")


def remove_release(cluster: Cluster) -> None:
    """Remove all objects of both kinds, the release however it was installed, and what it keeps."""
    kubectl = cluster.kubectl
    if kubectl.get("crd", CRDS[0]):
        kubectl.run("delete", "tj,mdep", "--all", "-A", "--timeout=300s", timeout=320)
    done = helm(cluster, "uninstall", release.NAME, "--wait", "--ignore-not-found")
    assert done.returncode == 0, done.stderr
    cluster.system.run("delete", "-f", str(MANIFEST), "--ignore-not-found", timeout=180)


def _inventory(cluster: Cluster) -> set[str]:
    """Return all objects that could be the release's: those of its namespace and cluster-wide.

    Its kinds count, and not their objects, which go with them.
    """
    resources = ("api-resources", "--verbs=list", "-o", "name")
    found: set[str] = set()
    for flag in ("--namespaced=true", "--namespaced=false"):
        names = cluster.kubectl.run(*resources, flag).split()
        lasting = [n for n in names if n not in VOLATILE and not n.endswith(".slipway.dev")]
        kinds = ",".join(lasting)
        found |= set(cluster.system.run("get", kinds, "-o", "name").split())
    return {name for name in found if not name.startswith(NOT_OURS)}


@pytest.fixture(scope="module")
def bare(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster without the release, its kinds and its volume; it is back afterwards."""
    remove_release(cluster)
    cluster.kubectl.apply(release.RESTRICTED_NAMESPACE)
    yield cluster
    release.install_locally()


def test_installing_upgrading_and_removing_three_times_leaves_only_what_is_kept(
    bare: Cluster, space: Space
) -> None:
    images = product.images()
    before = _inventory(bare)
    kept = {f"customresourcedefinition.apiextensions.k8s.io/{crd}" for crd in CRDS}
    kept |= {"persistentvolumeclaim/slipway-store", "apiservice.apiregistration.k8s.io/" + SERVED}
    for keep in (True, True, False):
        values = (*release.local_values(images), "--set", f"crds.keep={str(keep).lower()}")
        release.Release(bare.kubeconfig, values).install()
        space.apply(source("code", main=WAITS), training_job("waits", "code"))
        space.wait_for_phase("waits", "Running")
        assert space.kubectl.get("secret", "slipway-store")
        more = ("--set", "operator.replicas=2", "--set", "operator.networkPolicy.enabled=true")
        release.Release(bare.kubeconfig, (*values, *more)).install()
        space.kubectl.delete("trainingjob", "waits")
        wait_for(
            lambda: not space.kubectl.get("secret", "slipway-store"), 240, "the Secret is gone"
        )
        helm(bare, "uninstall", release.NAME, "--wait")
        _only_stays(bare, before, kept if keep else set())


def _only_stays(cluster: Cluster, before: set[str], kept: set[str]) -> None:
    """Wait until nothing is left beside what was there before but what is kept."""
    wait_for(
        lambda: _inventory(cluster) - before == kept,
        300,
        f"nothing is left but {sorted(kept)}",
        lambda: str(sorted(_inventory(cluster) - before ^ kept)),
        3.0,
    )


@pytest.fixture(scope="module")
def older(bare: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster with the release before, of its own chart and its own images."""
    folder = tmp_path_factory.mktemp("before")
    shutil.unpack_archive(BEFORE, folder)
    images = product.ensure(folder)
    node.load(image.reference for image in images.values())
    chart, values = folder / "charts" / "slipway", folder / "local-values.yaml"
    known = yaml.safe_load((chart / "values.yaml").read_text())
    values.write_text(yaml.safe_dump(_as_known(yaml.safe_load(release.VALUES.read_text()), known)))
    remove_release(bare)
    release.Release(bare.kubeconfig, release.local_values(images, values), chart).install()
    return bare


def _as_known(values: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return those of our values that the older chart has, too."""
    return {
        key: _as_known(value, known[key]) if isinstance(value, dict) else value
        for key, value in values.items()
        if key in known
    }


def _stored(cluster: Cluster) -> dict[str, int]:
    """Return what the store holds: paths and sizes."""
    with cluster.store() as store:
        return {path: info["size"] for path, info in store.find("slipway", detail=True).items()}


def _pods(space: Space, job: str) -> dict[str, tuple[str, int]]:
    """Return a job's training pods: name -> uid, and how often its containers were restarted."""
    found = space.pods(f"slipway.dev/training-job={job},slipway.dev/component=trainer")
    return {pod["metadata"]["name"]: (pod["metadata"]["uid"], _restarts(pod)) for pod in found}


def _restarts(pod: Any) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


def _images_of(space: Space, name: str) -> set[str]:
    pods = space.pods(f"slipway.dev/model-deployment={name}")
    return {each["image"] for pod in pods for each in pod["spec"]["containers"]}


def test_an_upgrade_from_the_release_before_loses_no_job_no_request_and_no_file(
    older: Cluster, space: Space
) -> None:
    where = space.name, "line"
    space.apply(manifests.source(*where), manifests.training_job(*where))
    space.apply(source("code", main=WAITS), training_job("long", "code", nodes=2))
    space.apply(training_job("later", "code", suspend=True), manifests.model_deployment(*where))
    trained = space.wait_for_phase("line", "Succeeded", "Failed")
    space.wait_for_phase("long", "Running")
    space.wait_until_ready("line")
    answer, pods, files = predict(space, "line", POINTS), _pods(space, "long"), _stored(older)
    assert len(pods) == 2
    assert len(files) >= 4

    server = product.images()["server"].reference
    with steady_load(f"{address(space, 'line')}/predict", POINTS, rate=20) as account:
        release.install_locally()
        space.wait("modeldeployment", "line", lambda _: _images_of(space, "line") == {server}, 300)
        space.wait_until_ready("line")
    print(f"{account.total} requests during the upgrade, lost: {account.lost}")
    assert account.lost == {}
    assert account.total > 200
    assert predict(space, "line", POINTS) == answer

    assert _pods(space, "long") == pods
    for pod in pods:
        space.kubectl.run("exec", pod, "-c", "trainer", "--", "touch", "/tmp/go")
    done = space.wait_for_phase("long", "Succeeded", "Failed")
    assert done["status"]["phase"] == "Succeeded", json.dumps(done["status"])
    assert done["status"]["output"]["sizeBytes"] == 1000

    space.kubectl.run("patch", "tj", "later", "--type=merge", '--patch={"spec":{"suspend":false}}')
    space.wait_for_phase("later", "Running")
    adopted = {**trained["status"]["package"], "generation": 1}
    assert space.job("line")["status"]["package"] == adopted, "taken for what the spec asks for"
    assert files.items() <= _stored(older).items()
    lease = older.system.get("lease", "slipway-operator") or {}
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "ServiceAccount"
