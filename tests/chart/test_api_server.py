"""The chart and the manifest against a real kube-apiserver, with the RBAC that they bring."""

import asyncio
import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev import gotools
from install.generate import CHART, MANIFEST, NAMESPACE
from slipway.accounts.certificate.kept import renewed
from slipway.controller.store_certificate import StoreCertificate
from slipway.kube import bootstrap
from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import Forbidden, NotFound
from slipway.settings import Settings, StoreSettings
from tests.chart.rendering import parse, render
from tests.chart.value_sets import VALUE_SETS
from tests.harness import Kubectl, KubectlError, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.control_plane import control_plane as running_control_plane
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract
CREDENTIALS = "slipway-store-credentials"
CERTIFICATE = "slipway-store-tls"
HOST = "slipway-store.slipway-system.svc"
LIST = {"apiVersion": "v1", "kind": "List"}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    """A control plane of these tests' own, since they install and remove the CRDs."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    """kubectl as the administrator, with a namespace that warns of every unsafe pod."""
    admin = Kubectl(control_plane.kubeconfig, namespace="")
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    meta = {"name": NAMESPACE, "labels": labels}
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    return admin


@pytest.fixture
def applied(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The plain manifest, applied; its objects but for the namespace are deleted afterwards."""
    kubectl.apply(MANIFEST)
    operator = f"--as={service_account(NAMESPACE, 'slipway')}"
    for secret in (CREDENTIALS, CERTIFICATE):
        wait_until_it_may(kubectl, "get", f"secret/{secret}", "-n", NAMESPACE, operator)
    yield kubectl
    objects = [each for each in parse(MANIFEST.read_text()).objects if each["kind"] != "Namespace"]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl.run("delete", "-f", "-", "--wait=false", stdin=text)
    _are_gone(kubectl)


def wait_until_it_may(kubectl: Kubectl, *what: str) -> None:
    """Wait until the API server lets an account do something: it hears of roles a moment later."""

    def may() -> bool:
        with suppress(KubectlError):
            return kubectl.run("auth", "can-i", *what).strip() == "yes"
        return False

    wait_for(may, 120, f"one may {' '.join(what)}")


async def fill(kubeconfig: Path, name: str = CREDENTIALS) -> bool:
    """Fill the Secret as the init container does, by the identity of a kubeconfig."""
    connection = await connect(kubeconfig, 2, lambda *_: None)
    try:
        return await bootstrap.fill(Client(connection), NAMESPACE, name)
    finally:
        await connection.close()


def stored(kubectl: Kubectl, name: str = CREDENTIALS) -> dict[str, str]:
    """Return what a Secret of the store's holds, as it is in the cluster."""
    secret = kubectl.get("secret", name, NAMESPACE) or {}
    return {key: b64decode(text).decode() for key, text in secret.get("data", {}).items()}


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())
def test_the_api_server_takes_every_object_without_a_warning(
    values: dict[str, Any], kubectl: Kubectl
) -> None:
    # The test's bare pod needs its account and its priority class; a cluster test runs it.
    objects = [found for found in render(values).objects if found["kind"] != "Pod"]
    kubectl.apply(objects, "--dry-run=server", "--warnings-as-errors")


def test_the_namespace_refuses_the_same_pods_once_they_are_less_restricted(
    kubectl: Kubectl,
) -> None:
    """So what the test above lets pass is restricted indeed."""
    # No controller runs here that would make a namespace's account.
    account = {"name": "default", "namespace": NAMESPACE}
    kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    workloads = [
        render().one("Deployment", "slipway"),
        render().one("StatefulSet", "slipway-store"),
    ]
    for workload in workloads:
        template = workload["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {**template["metadata"], "name": "probe", "namespace": NAMESPACE}
        pod["spec"] = {**template["spec"], "serviceAccountName": "default"}
        kubectl.apply(pod, "--dry-run=server")
        for loosened in ({"runAsNonRoot": False}, {"seccompProfile": {"type": "Unconfined"}}):
            context = {**pod["spec"]["securityContext"], **loosened}
            loose = {**pod, "spec": {**pod["spec"], "securityContext": context}}
            with pytest.raises(KubectlError, match="violates PodSecurity"):
                kubectl.apply(loose, "--dry-run=server")


def test_the_manifest_applies_twice_and_the_second_time_changes_nothing(applied: Kubectl) -> None:
    applied.run("apply", "-f", str(MANIFEST))
    again = applied.run("apply", "-f", str(MANIFEST), "--warnings-as-errors").splitlines()
    assert again
    assert [line for line in again if not line.endswith(" unchanged")] == []


async def test_operators_that_start_together_agree_on_one_set_of_credentials(
    applied: Kubectl, control_plane: TestControlPlane
) -> None:
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    filled = await asyncio.gather(*(fill(account) for _ in range(6)))
    assert sorted(filled) == [False] * 5 + [True]
    first = stored(applied)
    assert {key: len(text) for key, text in first.items()} == {
        "AWS_ACCESS_KEY_ID": 20,
        "AWS_SECRET_ACCESS_KEY": 40,
    }
    applied.run("apply", "-f", str(MANIFEST))
    assert await fill(account) is False
    assert stored(applied) == first


async def test_half_of_the_credentials_is_kept_and_completed(
    applied: Kubectl, control_plane: TestControlPlane
) -> None:
    patch = json.dumps({"stringData": {"AWS_ACCESS_KEY_ID": "chosen"}})
    applied.run("patch", "secret", CREDENTIALS, "-n", NAMESPACE, "--patch", patch)
    assert await fill(control_plane.kubeconfig) is True
    assert stored(applied)["AWS_ACCESS_KEY_ID"] == "chosen"
    assert len(stored(applied)["AWS_SECRET_ACCESS_KEY"]) == 40


def test_the_init_containers_own_command_fills_the_secret(
    applied: Kubectl, control_plane: TestControlPlane
) -> None:
    (init,) = render().one("Deployment", "slipway")["spec"]["template"]["spec"]["initContainers"]
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    done = subprocess.run(
        [sys.executable, "-m", "slipway", *init["args"]],
        env={**os.environ, "KUBECONFIG": str(account), "SLIPWAY_NAMESPACE": NAMESPACE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "got new credentials" in done.stderr
    assert len(stored(applied)) == 2


async def keep(kubeconfig: Path, file: Path) -> bool:
    """Look after the store's certificate as a replica of the operator does."""
    store = StoreSettings(
        endpoint=f"https://{HOST}:7443", tls_secret=CERTIFICATE, ca_file=str(file)
    )
    connection = await connect(kubeconfig, connections=1, observer=lambda *_: None)
    try:
        return await StoreCertificate(Client(connection), Settings(store=store)).keep()
    finally:
        await connection.close()


async def test_operators_that_start_together_agree_on_one_authority_of_the_store(
    applied: Kubectl, control_plane: TestControlPlane, tmp_path: Path
) -> None:
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    files = [tmp_path / str(number) for number in range(4)]
    assert await asyncio.gather(*(keep(account, file) for file in files)) == [True] * 4
    first = stored(applied, CERTIFICATE)
    assert {file.read_text() for file in files} == {first["ca.crt"]}
    applied.run("apply", "-f", str(MANIFEST))
    assert await keep(account, files[0])
    assert stored(applied, CERTIFICATE) == first


async def test_a_certificate_of_the_store_that_is_due_is_renewed_by_the_operators_account(
    applied: Kubectl, control_plane: TestControlPlane, tmp_path: Path
) -> None:
    due = renewed({}, HOST, datetime.now(UTC) - timedelta(days=61))
    patch = json.dumps({"stringData": dict(due)})
    applied.run("patch", "secret", CERTIFICATE, "-n", NAMESPACE, "--patch", patch)
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    assert await keep(account, tmp_path / "ca.crt")
    after = stored(applied, CERTIFICATE)
    assert {key for key in after if after[key] != due[key]} == {"tls.crt", "tls.key"}
    assert (tmp_path / "ca.crt").read_text() == due["ca.crt"]


async def test_a_certificate_whose_secret_is_missing_is_told_with_the_remedy_that_helps(
    applied: Kubectl,
    control_plane: TestControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    applied.run("delete", "secret", CERTIFICATE, "-n", NAMESPACE)
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    assert not await keep(account, tmp_path / "ca.crt")
    assert f"Secret {CERTIFICATE} is missing" in caplog.text
    assert not (tmp_path / "ca.crt").exists()
    applied.run("apply", "-f", str(MANIFEST))
    assert await keep(account, tmp_path / "ca.crt")


async def test_a_missing_secret_is_told_with_the_remedy(kubectl: Kubectl) -> None:
    with pytest.raises(NotFound, match=r"Secret no-such is missing .*: install the chart"):
        await fill(kubectl.kubeconfig, "no-such")


async def test_the_operators_account_reads_and_fills_no_other_secret(
    applied: Kubectl, control_plane: TestControlPlane
) -> None:
    account = control_plane.service_account_kubeconfig(NAMESPACE, "slipway")
    with pytest.raises(Forbidden):
        await fill(account, "other")
    operator = Kubectl(account)
    for attempt in (
        ("get", "secrets", "-A"),
        ("get", "secret", CREDENTIALS, "-n", "default"),
        ("delete", "secret", CREDENTIALS, "-n", NAMESPACE),
        ("get", "nodes"),
        ("get", "clusterroles"),
        ("get", "leases", "-n", "kube-system"),
        ("create", "namespace", "mine"),
        ("delete", "secret", "of-a-user", "-n", "default"),
        ("create", "clusterrolebinding", "mine", "--clusterrole=cluster-admin", "--user=me"),
        ("create", "rolebinding", "mine", "--clusterrole=admin", "--user=me", "-n", "default"),
        ("create", "token", "default", "-n", "default"),
        ("get", "pods", "-A", "--as=system:admin"),
    ):
        with pytest.raises(KubectlError, match="is forbidden"):
            operator.run(*attempt)


ACCESS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def test_an_operator_of_some_namespaces_is_refused_in_all_others(
    kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    release = render({"watchNamespaces": ["default"]}, release="few")
    access = [found for kind in ACCESS for found in release.of(kind)]
    kubectl.apply(access)
    operator = Kubectl(control_plane.service_account_kubeconfig(NAMESPACE, "few-slipway"))
    for what in ("pods", "jobs.batch", "configmaps"):
        wait_until_it_may(operator, "list", what, "-n", "default")
        for elsewhere in (("-n", "kube-system"), ("-n", NAMESPACE), ("-A",)):
            with pytest.raises(KubectlError):
                operator.run("auth", "can-i", "list", what, *elsewhere)
    kubectl.run("delete", "-f", "-", stdin=json.dumps({**LIST, "items": access}))


def test_the_tests_account_may_do_no_more_than_a_user_does(
    kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    release = render(release="tried")
    access = [
        found
        for kind in ACCESS
        for found in release.of(kind)
        if found["metadata"]["name"] == "tried-slipway-test"
    ]
    kubectl.apply(access)
    account = Kubectl(control_plane.service_account_kubeconfig(NAMESPACE, "tried-slipway-test"))
    wait_until_it_may(account, "create", "configmaps", "-n", NAMESPACE)
    for attempt in (
        ("create", "configmaps", "-n", "default"),
        ("create", "pods", "-n", NAMESPACE),
        ("get", "secrets", "-n", NAMESPACE),
        ("list", "configmaps", "-n", NAMESPACE),
        ("patch", "trainingjobs.slipway.dev", "-n", NAMESPACE),
        ("create", "rolebindings", "-n", NAMESPACE),
    ):
        with pytest.raises(KubectlError):
            account.run("auth", "can-i", *attempt)
    kubectl.run("delete", "-f", "-", stdin=json.dumps({**LIST, "items": access}))


@pytest.mark.usefixtures("applied")
def test_users_with_the_clusters_edit_role_write_the_kinds_and_viewers_only_read(
    control_plane: TestControlPlane,
) -> None:
    admin = Kubectl(control_plane.kubeconfig)
    # No controller runs here that would add up the aggregated roles.
    for role in ("view", "edit"):
        admin.run("create", "rolebinding", role, f"--clusterrole=slipway-{role}", f"--user={role}")
    admin.run("create", "rolebinding", "edit-view", "--clusterrole=slipway-view", "--user=edit")
    viewer, editor = (Kubectl(control_plane.user_kubeconfig(name)) for name in ("view", "edit"))
    for kind in ("trainingjobs", "modeldeployments"):
        wait_until_it_may(viewer, "watch", kind)
        wait_until_it_may(editor, "delete", kind)
        with pytest.raises(KubectlError):
            viewer.run("auth", "can-i", "create", kind)
        with pytest.raises(KubectlError):
            editor.run("auth", "can-i", "patch", kind, "--subresource=status")
    scale = ("patch", "modeldeployments", "--subresource=scale")
    wait_until_it_may(editor, *scale)


def _helm(kubeconfig: Path, *arguments: str) -> str:
    flags = (f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}")
    command = [str(gotools.path("helm")), *flags, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_helm_installs_upgrades_and_uninstalls_three_times_over(kubectl: Kubectl) -> None:
    config = kubectl.kubeconfig
    for keep in (True, True, False):
        told = _helm(config, "install", "slipway", str(CHART))
        assert "rollout status deployment/slipway" in told
        await fill(config)
        credentials = stored(kubectl)
        values = f"operator.replicas=2,crds.keep={str(keep).lower()}"
        _helm(config, "upgrade", "slipway", str(CHART), "--set", values)
        assert stored(kubectl) == credentials
        _helm(config, "uninstall", "slipway")
        kinds = "all,secrets,configmaps,serviceaccounts,roles,rolebindings,pdb,networkpolicies"
        mine = "app.kubernetes.io/instance=slipway"
        assert kubectl.run("get", kinds, "-l", mine, "-n", NAMESPACE, "-o", "name") == ""
        assert kubectl.list("clusterroles,clusterrolebindings", mine) == []
        claim = kubectl.get("pvc", "slipway-store", NAMESPACE)
        assert claim
        assert ("deletionTimestamp" in claim["metadata"]) is not keep
        if keep:
            assert len(kubectl.list("crds", mine)) == 2
        else:
            _are_gone(kubectl)


def _are_gone(kubectl: Kubectl) -> None:
    """Wait until the kinds are gone; let the claim go, which no controller here would."""
    claim = ("pvc", "slipway-store", "-n", NAMESPACE)
    kubectl.run("patch", *claim, "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    kinds = (f"crd/{kind}.slipway.dev" for kind in ("trainingjobs", "modeldeployments"))
    kubectl.run("wait", "--for=delete", *kinds, "--timeout=180s", timeout=240)


def test_helm_makes_a_pod_monitor_where_the_cluster_has_the_kind(kubectl: Kubectl) -> None:
    group, kind = "monitoring.coreos.com", "PodMonitor"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": "podmonitors", "singular": "podmonitor"}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"podmonitors.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    kubectl.apply(crd)
    kubectl.wait_until_established(f"crd/podmonitors.{group}")
    config = kubectl.kubeconfig
    try:
        _helm(config, "install", "slipway", str(CHART))
        found = kubectl.get("podmonitor", "slipway", NAMESPACE)
        assert found
        assert found["spec"]["podMetricsEndpoints"][0]["port"] == "http"
        _helm(config, "uninstall", "slipway")
    finally:
        kubectl.delete("crd", f"podmonitors.{group}")
