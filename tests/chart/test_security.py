from typing import Any

import pytest

from slipway.kube.election.lease import LEASE_NAME
from slipway.kube.resources import (
    CHILDREN,
    EVENTS,
    GANG_OBJECTS,
    LEASES,
    NAMESPACES,
    WATCHED,
    Resource,
)
from slipway.settings import Settings
from tests.chart.rendering import env, render
from tests.chart.value_sets import POD_MONITOR, VALUE_SETS

every_value_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())


@every_value_set
def test_no_rule_has_a_wildcard(values: dict[str, Any]) -> None:
    rules = list(render(values).rules())
    assert rules
    urls = [rule for rule in rules if "nonResourceURLs" in rule]
    assert urls == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    for rule in (rule for rule in rules if rule not in urls):
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]


@every_value_set
def test_secrets_are_read_and_changed_by_name_only(values: dict[str, Any]) -> None:
    for rule in render(values).rules():
        if "secrets" not in rule.get("resources", ()):
            continue
        assert rule["resources"] == ["secrets"]
        if rule["verbs"] != ["create"]:
            assert len(rule["resourceNames"]) == 1
            assert set(rule["verbs"]) <= {"get", "patch", "update", "delete"}


@every_value_set
def test_no_one_is_given_a_role_of_the_cluster(values: dict[str, Any]) -> None:
    release = render(values)
    for binding in release.of("ClusterRoleBinding") + release.of("RoleBinding"):
        reference = binding["roleRef"]
        assert reference["name"] in release.names(reference["kind"])


@every_value_set
def test_every_container_is_as_restricted_as_can_be(values: dict[str, Any]) -> None:
    containers = list(render(values).containers())
    assert containers
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]


@every_value_set
def test_every_pod_runs_as_no_root_and_only_operator_and_test_have_a_token(
    values: dict[str, Any],
) -> None:
    for pod in render(values).pods():
        spec, component = pod["spec"], pod["metadata"]["labels"]["app.kubernetes.io/component"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is (component in ("operator", "test"))
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all("hostPath" not in volume for volume in spec["volumes"])


UNFENCED = {
    "trainingjobs/status": {"patch"},
    "modeldeployments/status": {"patch"},
    "leases": {"create", "update"},
    "events": {"create"},
    "tokenreviews": {"create"},
    "subjectaccessreviews": {"create"},
}
"""What the fence does not look at, and all that the operator may do with it but reading."""
READING = {"get", "list", "watch"}


@every_value_set
def test_what_the_fence_leaves_out_the_operator_may_not_write_but_for_its_own(
    values: dict[str, Any],
) -> None:
    release = render(values)
    for fence in release.of("ValidatingAdmissionPolicy"):
        left_out = fence["spec"]["matchConstraints"]["excludeResourceRules"]
        for rule in release.rules():
            for resource in rule.get("resources", ()):
                if any(_is_matched(rule, resource, one) for one in left_out):
                    assert set(rule["verbs"]) - READING <= UNFENCED[resource]


def _is_matched(rule: dict[str, Any], resource: str, by: dict[str, Any]) -> bool:
    groups, (pattern, *_) = set(by["apiGroups"]), by["resources"]
    if groups != {"*"} and not groups & set(rule["apiGroups"]):
        return False
    if pattern == "*/status":
        return resource.endswith("/status")
    return "*" in by["resources"] or resource in by["resources"]


REVIEWS = {"slipway-metrics-review", "slipway-metrics-reader"}


def test_a_list_of_namespaces_gives_roles_there_and_no_right_beyond_but_to_ask_who_reads() -> None:
    release = render({"watchNamespaces": ["team-a", "team-b"]}, apis=[POD_MONITOR])
    assert release.names("ClusterRoleBinding") == REVIEWS
    assert release.names("ClusterRole") == {"slipway-view", "slipway-edit", *REVIEWS}
    asks = release.one("ClusterRole", "slipway-metrics-review")["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in asks] == [
        (["tokenreviews"], ["create"]),
        (["subjectaccessreviews"], ["create"]),
    ]
    roles = {
        role["metadata"]["namespace"]: role["rules"]
        for role in release.of("Role")
        if role["metadata"]["name"] != "slipway-test"
    }
    assert roles.keys() == {"team-a", "team-b", "slipway-system"}
    (whole_cluster,) = (
        role for role in render().of("ClusterRole") if role["metadata"]["name"] == "slipway"
    )
    assert roles["team-a"] == roles["team-b"] == whole_cluster["rules"]
    (operator,) = release.one("Deployment", "slipway")["spec"]["template"]["spec"]["containers"]
    assert env(operator)["SLIPWAY_WATCH_NAMESPACES"] == "team-a,team-b"


def test_users_get_the_two_kinds_through_the_clusters_own_roles() -> None:
    release = render()
    edit = release.one("ClusterRole", "slipway-edit")
    labels = edit["metadata"]["labels"]
    assert labels["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in labels
    view = release.one("ClusterRole", "slipway-view")
    assert {verb for rule in view["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    off = render({"rbac": {"aggregateToUserRoles": False}})
    assert off.names("ClusterRole") == {"slipway", *REVIEWS}


@pytest.mark.parametrize("values", [{}, {"fullnameOverride": "ours"}])
def test_the_operator_knows_its_own_fence(values: dict[str, str]) -> None:
    release = render(values)
    (policy,) = release.of("ValidatingAdmissionPolicy")
    name = values.get("fullnameOverride", "slipway")
    (operator,) = release.one("Deployment", name)["spec"]["template"]["spec"]["containers"]
    assert env(operator)["SLIPWAY_FENCE"] == policy["metadata"]["name"]
    if not values:
        assert Settings().fence == policy["metadata"]["name"]


def test_no_credentials_are_in_the_release() -> None:
    first, second = render(), render()
    assert first == second
    assert first.names("Secret") == {"slipway-store-credentials", "slipway-store-tls"}
    assert not any({"data", "stringData"} & secret.keys() for secret in first.of("Secret"))


@pytest.mark.parametrize("own", [{}, {"existingSecret": "mine"}], ids=["made", "given"])
def test_store_and_operator_read_the_same_credentials(own: dict[str, str]) -> None:
    release = render({"store": own})
    name = own.get("existingSecret", "slipway-store-credentials")
    operator = release.one("Deployment", "slipway")["spec"]["template"]["spec"]
    (store,) = release.one("StatefulSet", "slipway-store")["spec"]["template"]["spec"]["containers"]
    identity = {"secretKeyRef": {"name": name, "key": "AWS_ACCESS_KEY_ID"}}
    assert env(operator["containers"][0])["SLIPWAY_STORE_ACCESS_KEY_ID"] == identity
    assert env(store)["ROOT_ACCESS_KEY_ID"] == identity
    assert bool(operator.get("initContainers")) is not bool(own)
    role = release.one("Role", "slipway-own-namespace")
    named = [rule["resourceNames"] for rule in role["rules"] if "secrets" in rule["resources"]]
    assert named == [*([] if own else [[name]]), ["slipway-store-tls"]]


def test_the_operator_changes_no_secret_of_its_namespace_where_it_fills_none() -> None:
    given = {"existingSecret": "mine", "tls": {"secretName": "certificate"}}
    role = render({"store": given}).one("Role", "slipway-own-namespace")
    assert [rule for rule in role["rules"] if "secrets" in rule["resources"]] == []


def _allowed(rules: list[dict[str, Any]], resource: Resource) -> set[str]:
    """Return the verbs that rules allow on a resource, bound to a name or not."""
    return {
        verb
        for rule in rules
        if resource.group in rule["apiGroups"] and resource.plural in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_operator_may_watch_apply_and_record_what_it_has_to() -> None:
    release = render()
    rules = release.one("ClusterRole", "slipway")["rules"]
    for resource in WATCHED:
        assert {"list", "watch"} <= _allowed(rules, resource), resource.kind
    for resource in CHILDREN:
        verbs = set() if resource.kind == "Pod" else {"get", "create", "patch"}
        assert verbs <= _allowed(rules, resource), resource.kind
    for resource in GANG_OBJECTS:
        assert _allowed(rules, resource) == {"get", "create", "patch"}, resource.api_version
    assert _allowed(rules, EVENTS) == {"create", "list"}
    assert _allowed(rules, NAMESPACES) == {"get"}
    own = release.one("Role", "slipway-own-namespace")["rules"]
    assert _allowed(own, LEASES) == {"create", "get", "update"}
    (named,) = (
        rule["resourceNames"]
        for rule in own
        if "get" in rule["verbs"] and "leases" in rule["resources"]
    )
    assert named == [LEASE_NAME]


def test_the_secret_of_each_namespace_is_the_one_that_the_rules_name() -> None:
    release = render({"store": {"namespaceSecretName": "bucket"}})
    (operator,) = release.one("Deployment", "slipway")["spec"]["template"]["spec"]["containers"]
    assert env(operator)["SLIPWAY_STORE_SECRET_NAME"] == "bucket"
    named = [
        rule["resourceNames"]
        for rule in release.one("ClusterRole", "slipway")["rules"]
        if "secrets" in rule["resources"] and "patch" in rule["verbs"]
    ]
    assert named == [["bucket"]]
