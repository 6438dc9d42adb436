"""From the release before to this one: chart and operator, on objects that the old ones made."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import gotools
from install.generate import CHART
from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.control_plane import control_plane as running_control_plane
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract
BEFORE = Path(__file__).parents[2] / "releases" / "before.tar.xz"
"""The sources of the release before."""
KEPT = (
    ("job", "job-train"),
    ("deployment", "model"),
    ("service", "model"),
    ("secret", "slipway-store"),
)
"""Children that must stay the very objects that they are."""


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    """A control plane without anything of Slipway's."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the release before, unpacked."""
    folder = tmp_path_factory.mktemp("before")
    shutil.unpack_archive(BEFORE, folder)
    return folder


def _helm(plane: TestControlPlane, *arguments: str) -> None:
    gotools.ensure(["helm"])
    where = (f"--kubeconfig={plane.kubeconfig}", f"--namespace={NAMESPACE}")
    done = subprocess.run(
        [str(gotools.path("helm")), *where, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _uids(kubectl: Kubectl) -> dict[tuple[str, str], str]:
    found = {each: kubectl.get(*each) for each in KEPT}
    return {each: obj["metadata"]["uid"] for each, obj in found.items() if obj}


def _selects(kubectl: Kubectl) -> bool:
    """Tell whether the Service still selects the pods that the Deployment has."""
    service, deployment = kubectl.get("service", "model"), kubectl.get("deployment", "model")
    assert service
    assert deployment
    chosen = service["spec"]["selector"].items()
    labels: Object = deployment["spec"]["selector"]["matchLabels"]
    return bool(chosen <= {**labels}.items())


def test_an_upgrade_keeps_objects_children_and_credentials_and_is_refused_nothing(
    control_plane: TestControlPlane, before: Path, tmp_path: Path
) -> None:
    admin = control_plane.kubectl
    _helm(control_plane, "install", "slipway", str(before / "charts/slipway"), "--create-namespace")
    account = control_plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)
    team = Kubectl(control_plane.kubeconfig, "team")
    admin.run("create", "namespace", "team")
    team.run("create", "serviceaccount", "default")
    sources = {"PYTHONPATH": str(before / "operator" / "src")}
    old = OperatorProcess.start(account, tmp_path / "old.log", sources)
    try:
        team.create([play.source(), play.training_job(), play.model_deployment()])
        wait_for(
            lambda: len(_uids(team)) == len(KEPT) and team.get("service", "job-train"),
            240,
            "all children are there",
            lambda: str(_uids(team)) + old.log.read_text(),
        )
        pods = play.make_pods(team, play.wait_object(team, "job", "job-train"))
        for pod in pods:
            play.run_pod(team, pod)
        play.wait_phase(team, "job", "Running")
    finally:
        old.end()
    uids, job = _uids(team), team.get("job", "job-train")
    service = (team.get("service", "job-train") or {})["metadata"]["uid"]
    audit = control_plane.audit()

    _helm(control_plane, "upgrade", "slipway", str(CHART))
    new = OperatorProcess.start(account, tmp_path / "new.log", {})
    try:
        wait_for(lambda: new.leads, 240, "the new operator leads", new.log.read_text)
        assert (team.get("service", "job-train") or {})["metadata"]["uid"] == service
        play.end_pod(team, pods[0], 0, play.trained())
        for pod in pods[1:]:
            play.end_pod(team, pod, 0, {"reason": "Completed", "exitCode": 0})
        play.complete_job(team, play.wait_object(team, "job", "job-train"))
        done = play.package(team)
    finally:
        new.end()
    assert done["status"]["phase"] == "Succeeded"
    assert _uids(team) == uids
    assert team.get("service", "job-train") is None, "nobody looks for the pods any more"
    assert job
    assert (team.get("job", "job-train") or {})["spec"]["template"] == job["spec"]["template"]
    assert _selects(team)
    denied = [
        f"{request.verb} {request.resource} {request.name}: {request.code}"
        for request in audit.requests(service_account(NAMESPACE, ACCOUNT))
        if request.is_write and request.code in (403, 422)
    ]
    assert denied == []
    for kind, name in (("trainingjob", "job"), ("modeldeployment", "model")):
        conditions = (team.get(kind, name) or {})["status"]["conditions"]
        assert not {"ApplyRejected", "InvalidChild"} & {one["reason"] for one in conditions}
