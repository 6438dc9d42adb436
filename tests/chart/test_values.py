import json
import subprocess
from typing import Any

import pytest
import yaml

from dev import gotools
from install import values_table
from install.generate import CHART
from slipway.settings import Settings, StoreSettings
from tests.chart.rendering import Refused, env, render

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown name": ({"operator": {"replica": 2}}, "at '/operator': .*'replica' not allowed"),
    "a word for a number": ({"operator": {"replicas": "two"}}, "'/operator/replicas': got string"),
    "no pull policy": ({"images": {"pullPolicy": "Maybe"}}, "must be one of 'Always'"),
    "no digest": ({"images": {"store": {"digest": "abc"}}}, "'/images/store/digest'"),
    "no bucket name": ({"store": {"bucket": "My Bucket"}}, "'/store/bucket'"),
    "no namespace": ({"watchNamespaces": ["team_a"]}, "'/watchNamespaces/0'"),
    "no size": ({"store": {"persistence": {"size": "lots"}}}, "'/store/persistence/size'"),
    "no store": (
        {"store": {"enabled": False, "sharedCredential": True}},
        "give your bucket in store.external.uri",
    ),
    "one credential for all that nobody chose": (
        {"store": {"enabled": False, "external": {"uri": "s3://models", "existingSecret": "x"}}},
        "say how the bucket is opened to one namespace at a time",
    ),
    "no credentials": (
        {
            "store": {
                "enabled": False,
                "external": {"uri": "s3://models", "sts": {"roleArn": "arn:a"}},
            }
        },
        "store.external.existingSecret",
    ),
    "another store": ({"store": {"external": {"uri": "gs://models"}}}, "'/store/external/uri'"),
    "two leaders": (
        {"operator": {"replicas": 2, "leaderElection": False}},
        "leave operator.leaderElection true",
    ),
    "a pod of root's": ({"podSecurityContext": {"runAsNonRoot": False}}, "runAsNonRoot"),
    "a user of root's": ({"podSecurityContext": {"runAsUser": 0}}, "Context/runAsUser'"),
    "more capabilities": (
        {"containerSecurityContext": {"capabilities": {"drop": []}}},
        "'/containerSecurityContext/capabilities/drop'",
    ),
    "more privileges": (
        {"containerSecurityContext": {"allowPrivilegeEscalation": True}},
        "allowPrivilegeEscalation",
    ),
    "no share": (
        {"operator": {"podDisruptionBudget": {"minAvailable": "half"}}},
        "'/operator/podDisruptionBudget/minAvailable'",
    ),
    "an empty object": ({"extraObjects": [{}]}, "'/extraObjects/0'"),
    "a nameless account": (
        {"serviceAccount": {"create": False}},
        "give the existing one's name in serviceAccount.name",
    ),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_impossible_values_are_refused_with_their_place(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        render(values)


def test_helm_lint_finds_nothing_wrong() -> None:
    helm, version = str(gotools.path("helm")), gotools.KUBERNETES_VERSION
    done = subprocess.run(
        [helm, "lint", "--strict", "--kube-version", version, str(CHART)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


def _leaves(schema: dict[str, Any], root: dict[str, Any], path: str = "") -> set[str]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    inner = schema.get("properties")
    if not inner:
        return {path}
    return {leaf for name, part in inner.items() for leaf in _leaves(part, root, f"{path}.{name}")}


def _has(values: Any, path: str) -> bool:
    for name in path.strip(".").split("."):
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True


def test_the_schema_and_the_default_values_name_the_same_things() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    free = (
        ".global",
        ".claims",
        ".privileged",
        ".containerSecurityContext.runAsNonRoot",
        ".localhostProfile",
    )
    leaves = {leaf for leaf in _leaves(schema, schema) if not leaf.endswith(free)}
    # What the operator's containers get by default is the operator's to say, not the chart's.
    owned = {leaf for leaf in leaves if leaf.startswith(".pods.resources.")}
    named = (leaves - owned) | {leaf.rpartition(".")[0] for leaf in owned}
    assert [leaf for leaf in sorted(named) if not _has(values, leaf)] == []


def test_every_value_says_what_it_is() -> None:
    found = values_table.values((CHART / "values.yaml").read_text())
    assert [each.path for each in found if len(each.about) < 8] == []
    readme = (CHART / "README.md").read_text()
    assert all(f"| `{each.path}` |" in readme for each in found)


def test_the_operator_understands_each_variable_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prometheus = "http://prometheus.monitoring.svc:9090"
    listed = ["https://mimir.example.com/prometheus", "http://thanos.monitoring.svc:9090"]
    operator_values = {
        "workers": 7,
        "prometheusUrl": prometheus,
        "analysis": {"allowedPrometheusAddresses": listed},
    }
    release = render({"watchNamespaces": ["default"], "operator": operator_values})
    (operator,) = release.one("Deployment", "slipway")["spec"]["template"]["spec"]["containers"]
    given = {name: found for name, found in env(operator).items() if isinstance(found, str)}
    for name, found in given.items():
        monkeypatch.setenv(name, found)
    known = {f"SLIPWAY_{field.upper()}" for field in Settings.model_fields} | {
        f"SLIPWAY_STORE_{field.upper()}" for field in StoreSettings.model_fields
    }
    assert env(operator).keys() <= known
    settings = Settings()
    assert settings.workers == 7
    assert settings.prometheus_url == prometheus
    assert settings.allowed_prometheus == (prometheus, *listed)
    assert settings.namespaces == ("default",)
    assert settings.store.endpoint == "https://slipway-store.slipway-system.svc:7443"
