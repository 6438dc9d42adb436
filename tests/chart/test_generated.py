import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dev import gotools
from install import generate
from slipway import __version__
from tests.chart.rendering import Release, env, parse, render


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
    sources = [
        yaml.load(path.read_text(), yaml.CSafeLoader)
        for path in (generate.ROOT / "crds").glob("*.yaml")
    ]
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
    cluster_wide = {
        *("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }
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
        f"registry.example.com/ml/slipway-operator:{__version__}",
        f"registry.example.com/ml/slipway-store:{__version__}",
    }


def _built(folder: Path) -> Release:
    """Return what kubectl's kustomize makes of a folder."""
    gotools.ensure(["kubectl"])
    command = [str(gotools.path("kubectl")), "kustomize", str(folder)]
    return parse(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_the_kustomization_makes_the_manifest() -> None:
    def by_name(release: Release) -> list[tuple[str, str]]:
        return sorted((found["kind"], found["metadata"]["name"]) for found in release.objects)

    made, plain = _built(generate.ROOT / "install"), parse(generate.MANIFEST.read_text())
    assert by_name(made) == by_name(plain)
    for found in plain.objects:
        assert found in made.objects


def test_images_are_changed_in_one_place_those_of_variables_too(tmp_path: Path) -> None:
    for file in generate.KUSTOMIZATION.parent.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    text = generate.KUSTOMIZATION.read_text()
    found = yaml.load(text, yaml.CSafeLoader)
    for image in found["images"]:
        image["newName"] = f"registry.example.com/ml/{image['name']}"
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(found))
    release = _built(tmp_path)
    operator = release.one("Deployment", "slipway")["spec"]["template"]["spec"]["containers"][0]
    told = env(operator)
    images = {each["image"] for each in release.containers()}
    images |= {told[f"SLIPWAY_{part}_IMAGE"] for part in ("TRAINER", "SERVER", "PYTHON")}
    names = ("operator", "store", "trainer", "server", "python")
    assert images == {f"registry.example.com/ml/slipway-{name}:{__version__}" for name in names}


def test_a_release_has_one_version_wherever_it_is_written() -> None:
    root, versions = generate.ROOT, r"\d+\.\d+\.\d+"
    places = {
        "charts/slipway/Chart.yaml": rf"^(?:appV|v)ersion: ({versions})$",
        "images/README.md": rf"slipway-\w+:({versions})",
        "images/runtime/pyproject.toml": rf'^version = "({versions})"$',
        "images/runtime/src/slipway_runtime/__init__.py": rf'^__version__ = "({versions})"$',
        "images/python/Dockerfile": rf"slipway-torch:({versions})",
        "images/server/Dockerfile": rf"slipway-torch:({versions})",
        "images/trainer/Dockerfile": rf"slipway-torch:({versions})",
        "operator/pyproject.toml": rf'^version = "({versions})"$',
        "pyproject.toml": rf'^version = "({versions})"$',
    }
    for place, pattern in places.items():
        found = re.findall(pattern, (root / place).read_text(), re.MULTILINE)
        assert set(found) == {__version__}, place
    log = (root / "CHANGELOG.md").read_text()
    released = re.search(rf"^## \[({versions})\] - ", log, re.MULTILINE)
    assert released
    assert released[1] == __version__
