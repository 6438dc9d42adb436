"""A cluster with an attacker and a victim: a real API server, operator and store."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import gotools
from tests.contract.namespaces import install_kinds, new_namespace
from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess, grant_access
from tests.contract.operator.test_accounts import output_uri
from tests.contract.operator.test_life import settle
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import S3

ATTACKER, VICTIM = "attacker", "victim"
KINDS_ONLY = ("slipway-edit", "slipway-view")
EDIT = (*KINDS_ONLY, "system:aggregate-to-edit", "system:aggregate-to-view")
"""The rules of Kubernetes' role ``edit``, which a controller would put together."""
WATCHED = ("tj", "mdep", "job", "deployment", "service", "networkpolicy", "pod", "secret")


@dataclass(frozen=True)
class Stage:
    """``admin`` of the attacker's namespace and ``victim`` are kubectl with all rights.

    ``kinds_user`` and ``edit_user`` are people who have a role in the attacker's namespace alone;
    ``buckets`` are the two namespaces' own.
    """

    plane: TestControlPlane
    operator: OperatorProcess
    store: S3Server
    admin: Kubectl
    victim: Kubectl
    kinds_user: Kubectl
    edit_user: Kubectl
    buckets: dict[str, str]
    model: str
    """The key of the victim's archive in its bucket."""

    def as_victim(self) -> S3:
        """Return the victim's own client of the store."""
        return S3(self.store, held(self.victim))

    def written(self) -> Object:
        """Return all that the victim has, as its objects' UIDs and contents."""
        return {
            f"{kind}/{found['metadata']['name']}": (
                found["metadata"]["uid"],
                found.get("spec"),
                found.get("data"),
                found.get("status"),
            )
            for kind in WATCHED
            for found in self.victim.list(kind)
        }

    @contextmanager
    def victim_is_unharmed(self) -> Iterator[None]:
        """Check that the block changes nothing of the victim's, which still reads its model."""
        before = self.written()
        yield
        assert self.written() == before
        self.check_that_the_victim_reads_its_model()

    def check_that_the_victim_reads_its_model(self) -> None:
        """Check that the store and the operator are as before to the victim."""
        client = self.as_victim()
        assert client.read(self.buckets[VICTIM], self.model) == b"weights"
        assert self.operator.status("/healthz") == 200


def held(kubectl: Kubectl) -> dict[str, str]:
    """Return what a namespace's Secret of the store holds."""
    data = (kubectl.get("secret", "slipway-store") or {"data": {}})["data"]
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


def bucket_of(kubectl: Kubectl, job: str) -> str:
    """Return the bucket that a TrainingJob's agent is told to write to."""
    made = play.wait_object(kubectl, "job", f"{job}-train")
    return output_uri(made).removeprefix("s3://").partition("/")[0]


def reasons(kubectl: Kubectl, kind: str, name: str) -> dict[str, str]:
    """Return the reasons and the messages of an object's conditions."""
    status = (kubectl.get(kind, name) or {}).get("status", {})
    return {one["reason"]: one["message"] for one in status.get("conditions", ())}


def training_job(name: str, **spec: Any) -> Object:
    """Return a TrainingJob of one pod that makes no package."""
    found = play.training_job(name, nodes=1, **spec)
    del found["spec"]["package"]
    return found


def _user(plane: TestControlPlane, name: str, roles: tuple[str, ...]) -> Kubectl:
    """Return kubectl as somebody who has these roles in the attacker's namespace."""
    admin = Kubectl(plane.kubeconfig, ATTACKER)
    group = "rbac.authorization.k8s.io"
    for role in roles:
        admin.create(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{name}-{role.replace(':', '-')}"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
            }
        )
    return Kubectl(plane.user_kubeconfig(name), ATTACKER)


def _settle(admin: Kubectl, victim: Kubectl) -> None:
    """Let the victim train and serve one model, and train another; the attacker trains one."""
    for kubectl in (admin, victim):
        kubectl.create(play.source())
    victim.create([play.training_job("iris"), training_job("busy")])
    play.train(victim, "iris")
    play.package(victim, "iris")
    victim.create(play.model_deployment("iris", model={"trainingJob": {"name": "iris"}}))
    play.roll_out(victim, "iris")
    (pod,) = play.make_pods(victim, play.wait_object(victim, "job", "busy-train"))
    play.run_pod(victim, pod)
    play.wait_phase(victim, "busy", "Running")
    wait_for(lambda: play.is_true(victim, "Ready", "iris"), 180, "the victim serves")
    admin.create(training_job("own"))


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Run all of it until the block ends."""
    gotools.ensure(["slipway-store"])
    store = S3Server(folder / "s3")
    store.start()
    try:
        with running_control_plane() as plane:
            install_kinds(plane.kubectl)
            grant_access(plane)
            admin, victim = (new_namespace(plane.kubectl, one) for one in (ATTACKER, VICTIM))
            kubeconfig = plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)
            settings = {
                "SLIPWAY_LEADER_ELECTION": "false",
                "SLIPWAY_STORE_CREDENTIALS": "accounts",
                "SLIPWAY_STORE_ENDPOINT": store.env["AWS_ENDPOINT_URL"],
            }
            operator = OperatorProcess.start(kubeconfig, folder / "operator.log", settings)
            try:
                operator.wait_until_ready()
                _settle(admin, victim)
                staged = _staged(plane, operator, store, admin, victim)
                settle(operator, plane.audit())  # or a late status would pass for an attack's
                yield staged
            finally:
                operator.end()
    finally:
        store.stop()


def _staged(
    plane: TestControlPlane,
    operator: OperatorProcess,
    store: S3Server,
    admin: Kubectl,
    victim: Kubectl,
) -> Stage:
    buckets = {ATTACKER: bucket_of(admin, "own"), VICTIM: bucket_of(victim, "busy")}
    uri = (victim.get("tj", "iris") or {})["status"]["package"]["uri"]
    model = uri.removeprefix(f"s3://{buckets[VICTIM]}/")
    assert S3(store, held(victim)).put(buckets[VICTIM], model, b"weights") == ""
    return Stage(
        plane=plane,
        operator=operator,
        store=store,
        admin=admin,
        victim=victim,
        kinds_user=_user(plane, "kinds-user", KINDS_ONLY),
        edit_user=_user(plane, "edit-user", EDIT),
        buckets=buckets,
        model=model,
    )
