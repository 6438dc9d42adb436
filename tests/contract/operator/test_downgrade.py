"""The CRDs are of another release: of the one before, or of one whose fields nobody here knows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.namespaces import install_kinds
from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.contract.operator.test_life import settle
from tests.contract.operator.test_upgrade import BEFORE
from tests.harness import AuditLog, Kubectl, Object, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("both kinds change"),
]
USER = service_account(NAMESPACE, ACCOUNT)
OBJECTS = (("trainingjob", "job"), ("modeldeployment", "model"))


@pytest.fixture
def downgrade(control_plane: TestControlPlane, tmp_path: Path) -> Iterator[Path]:
    """The folder of the older CRDs; ours are applied again afterwards."""
    shutil.unpack_archive(BEFORE, tmp_path)
    yield tmp_path / "charts/slipway/files/crds"
    install_kinds(control_plane.kubectl)


def look(kubectl: Kubectl, operator: OperatorProcess, audit: AuditLog) -> int:
    """Have the operator look at both objects; return how many writes that costs."""
    audit.mark()
    before = operator.metric("slipway_reconcile_total")
    for kind, name in OBJECTS:
        value = str(operator.metric("slipway_reconcile_total"))
        kubectl.run("annotate", "--overwrite", kind, name, f"example.com/look={value}")
    looked = before + len(OBJECTS)
    wait_for(lambda: operator.metric("slipway_reconcile_total") >= looked, 120, "it has looked")
    return settle(operator, audit)


def rests_soon(kubectl: Kubectl, operator: OperatorProcess, audit: AuditLog) -> None:
    """Wait until a look costs no write: a kind that changed is listed anew, a moment later."""
    wait_for(lambda: look(kubectl, operator, audit) == 0, 240, "nothing is written any more")


def test_older_crds_cost_no_storm_and_no_job(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane, downgrade: Path
) -> None:
    kubectl.create([play.source(), play.training_job(), play.model_deployment()])
    job = play.wait_object(kubectl, "job", "job-train")
    pods = play.make_pods(kubectl, job)
    for pod in pods:
        play.run_pod(kubectl, pod)
    play.wait_phase(kubectl, "job", "Running")
    play.roll_out(kubectl)
    wait_for(lambda: play.is_true(kubectl, "Ready"), 120, "it is ready", operator.log.read_text)
    audit = control_plane.audit()
    settle(operator, audit)
    uids = [(kubectl.get(*each) or {})["metadata"]["uid"] for each in KEPT]

    control_plane.kubectl.apply(downgrade)
    look(kubectl, operator, audit)
    rests_soon(kubectl, operator, audit)  # what the older CRDs drop is not written for ever
    for pod in pods:
        play.end_pod(kubectl, pod, 0, play.trained())
    play.complete_job(kubectl, job)
    assert play.package(kubectl)["status"]["package"]["sha256"] == play.SHA
    install_kinds(control_plane.kubectl)

    def rests() -> bool:
        # What the status remembered of the release's own part is gone: the pods roll over once.
        play.roll_out(kubectl)
        return look(kubectl, operator, audit) == 0 and play.is_true(kubectl, "Ready")

    wait_for(rests, 240, "the pods have rolled over, and nothing more is written")
    assert [(kubectl.get(*each) or {})["metadata"]["uid"] for each in KEPT] == uids
    wait_for(lambda: operator.status("/readyz") == 200, 120, "it is ready", operator.log.read_text)
    assert operator.status("/healthz") == 200


TOMORROW = {"tomorrow": {"type": "string"}}


@pytest.fixture
def newer_kinds(control_plane: TestControlPlane) -> Iterator[None]:
    """Have both kinds know a field more, in spec and status; ours are applied again afterwards."""
    admin = control_plane.kubectl
    for kind, _ in OBJECTS:
        name = f"{kind}s.slipway.dev"
        live = admin.get("customresourcedefinition", name) or {}
        for version in live["spec"]["versions"]:
            known = version["schema"]["openAPIV3Schema"]["properties"]
            for part in ("spec", "status"):
                known[part]["properties"] |= TOMORROW
        head = {key: live[key] for key in ("apiVersion", "kind", "spec")}
        admin.apply({**head, "metadata": {"name": name}})
    yield
    install_kinds(admin)


def of_tomorrow() -> list[Object]:
    return [play.training_job(tomorrow="one"), play.model_deployment(tomorrow="two")]


def _known(kubectl: Kubectl) -> bool:
    """Tell whether the API server keeps the new field."""
    dry = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    return all(
        "tomorrow" in kubectl.run(*dry, "--validate=ignore", stdin=json.dumps(one))
        for one in of_tomorrow()
    )


@pytest.mark.usefixtures("newer_kinds")
def test_fields_of_a_newer_release_are_left_alone_and_cost_nothing(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    wait_for(lambda: _known(kubectl), 60, "the API server knows the new field")
    audit = control_plane.audit()
    kubectl.create([play.source(), *of_tomorrow()])
    play.train(kubectl)
    for kind, name in OBJECTS:
        kubectl.patch(kind, f"{name}/status", {"status": {"tomorrow": "three"}})
    assert play.package(kubectl)["status"]["package"]["sha256"] == play.SHA
    play.roll_out(kubectl)
    wait_for(lambda: play.is_true(kubectl, "Ready"), 120, "it is ready", operator.log.read_text)
    settle(operator, audit)
    rests_soon(kubectl, operator, audit)  # what nobody here knows is not written for ever
    told = [(kubectl.get(*each) or {})["spec"]["tomorrow"] for each in OBJECTS]
    assert told == ["one", "two"]


KEPT = (("job", "job-train"), ("deployment", "model"), ("service", "model"))
"""Children that must stay the very objects that they are."""
