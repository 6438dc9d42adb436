"""The manifests in README and docs, which people copy: the API server takes each as it is."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.namespaces import install_kinds
from tests.harness import Kubectl
from tests.harness.control_plane import TestControlPlane

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
MODEL: dict[str, Any] = {"model": {"trainingJob": {"name": "job"}}}
TRAINING: dict[str, Any] = {
    "source": {"configMap": {"name": "source"}},
    "entrypoint": "train.py",
}


def _whole(fragment: dict[str, Any]) -> dict[str, Any]:
    """Return what stands in a document as an object: some blocks are no more than fields of one."""
    if "apiVersion" in fragment:
        return fragment
    fields = fragment.get("spec", fragment)
    serves = not fields.keys().isdisjoint(("model", "rollout", "server"))
    kind, rest = ("ModelDeployment", MODEL) if serves else ("TrainingJob", TRAINING)
    meta = {"name": "documented"}
    spec = {**rest, **fields}
    return {"apiVersion": "slipway.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def _manifests() -> Iterator[Any]:
    for document in DOCUMENTS:
        for number, block in enumerate(BLOCK.findall(document.read_text()), 1):
            for one in yaml.load_all(textwrap.dedent(block), yaml.CSafeLoader):
                manifest = _whole(one)
                yield pytest.param(manifest, id=f"{document.stem}-{number}-{manifest['kind']}")


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    install_kinds(control_plane.kubectl)
    return control_plane.kubectl


@pytest.mark.contract
@pytest.mark.parametrize("manifest", list(_manifests()))
def test_a_manifest_in_the_documents_is_accepted_without_an_unknown_field(
    manifest: dict[str, Any], kubectl: Kubectl
) -> None:
    flags = ("--dry-run=server", "--validate=strict")
    kubectl.run("apply", *flags, "-f", "-", stdin=json.dumps(manifest))
