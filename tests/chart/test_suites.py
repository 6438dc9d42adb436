"""The chart's own suites by helm-unittest, and its objects against the API's schemas."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev import gotools
from install.generate import CHART
from tests.chart import schemas
from tests.chart.rendering import render
from tests.chart.value_sets import VALUE_SETS
from tests.harness import TestControlPlane

FOREIGN = "PodMonitor,ServiceMonitor,PrometheusRule"
"""Kinds of the Prometheus Operator, which no API server knows by itself."""


def test_the_charts_own_suites_pass() -> None:
    program = str(gotools.path("helm-unittest"))
    done = subprocess.run(
        [program, "--strict", "--color=false", str(CHART)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_of_the_chart_holds_no_tests(tmp_path: Path) -> None:
    helm = str(gotools.path("helm"))
    subprocess.run([helm, "package", str(CHART), "--destination", str(tmp_path)], check=True)
    (package,) = tmp_path.glob("*.tgz")
    names = subprocess.run(
        ["tar", "--list", "--file", str(package)], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "slipway/Chart.yaml" in names
    assert [name for name in names if name.startswith("slipway/tests/")] == []


@pytest.fixture(scope="module")
def schema_location(
    control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Where kubeconform finds the schemas of the API server's kinds."""
    openapi = json.loads(control_plane.kubectl.run("get", "--raw", "/openapi/v2"))
    return schemas.write(openapi, tmp_path_factory.mktemp("schemas"))


def _conform(location: str, text: str) -> "subprocess.CompletedProcess[str]":
    program = str(gotools.path("kubeconform"))
    command = [program, "-schema-location", location, "-skip", FOREIGN, "-summary", "-verbose"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.contract
@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())
def test_every_object_conforms_to_its_kinds_schema(
    values: dict[str, Any], schema_location: str
) -> None:
    objects = render(values).objects
    done = _conform(schema_location, "\n---\n".join(map(json.dumps, objects)))
    assert done.returncode == 0, done.stdout
    assert f"{len(objects)} resources found" in done.stdout
    assert "Skipped: 0" in done.stdout


@pytest.mark.contract
def test_an_object_with_an_unknown_field_does_not_conform(schema_location: str) -> None:
    meta = {"name": "a", "namespace": "b"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"port": 1}}
    done = _conform(schema_location, json.dumps(service))
    assert done.returncode == 1
    assert "additional properties 'port' not allowed" in done.stdout
