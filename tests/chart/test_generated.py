from pathlib import Path

import pytest
import yaml

from install import generate
from tests.chart.rendering import parse, render


def test_what_is_generated_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_file_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = generate.ROOT / "install" / "no-such-manifest.yaml"
    monkeypatch.setattr(generate, "MANIFEST", old)
    assert generate.main(["--check"]) == 1
    assert "install/no-such-manifest.yaml is not current: run `make manifests`" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("keep", [True, False])
def test_the_chart_installs_the_crds_as_they_are_generated(*, keep: bool) -> None:
    rendered = {
        found["metadata"]["name"]: found
        for found in render({"crds": {"keep": keep}}).of("CustomResourceDefinition")
    }
    sources = [yaml.safe_load(path.read_text()) for path in (generate.ROOT / "crds").glob("*.yaml")]
    assert rendered.keys() == {source["metadata"]["name"] for source in sources}
    for source in sources:
        found = rendered[source["metadata"]["name"]]
        annotations = found["metadata"].pop("annotations", {})
        assert annotations.get("helm.sh/resource-policy") == ("keep" if keep else None)
        assert found["metadata"].pop("labels")
        assert found == source


def test_the_crds_can_be_left_to_somebody_else() -> None:
    assert not render({"crds": {"enabled": False}}).of("CustomResourceDefinition")


def test_the_manifest_brings_its_namespace_first_and_shuts_it_to_unsafe_pods() -> None:
    first, *rest = parse(generate.MANIFEST.read_text()).objects
    assert first["kind"] == "Namespace"
    assert first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    cluster_wide = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
    for found in rest:
        if found["kind"] not in cluster_wide:
            assert found["metadata"]["namespace"] == first["metadata"]["name"]


def test_the_manifest_speaks_of_helm_nowhere() -> None:
    text = generate.MANIFEST.read_text()
    assert "helm.sh/" not in text
    assert "managed-by: Helm" not in text


def test_the_manifest_can_name_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--registry", "registry.example.com/ml"]) == 0
    release = parse(capsys.readouterr().out)
    images = {each["image"] for each in release.containers()}
    assert images == {
        "registry.example.com/ml/slipway-operator:0.1.0",
        "registry.example.com/ml/slipway-store:0.1.0",
    }
