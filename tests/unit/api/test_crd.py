"""The CRDs: current, structural and bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.api.crd import KINDS, Kind, crd, crd_files

CRDS = Path(__file__).parents[3] / "crds"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[{key}]")


def spec_nodes(kind: Kind) -> list[tuple[str, dict[str, Any]]]:
    version = crd(kind)["spec"]["versions"][0]
    return list(nodes(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec"))


def test_the_committed_crds_are_those_that_the_models_give() -> None:
    generated: dict[str, str] = {}
    crd_files(generated.__setitem__)
    committed = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    assert committed == generated, "run `make crds` and commit the result"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_a_spec_has_one_type_and_no_reference(kind: Kind) -> None:
    for path, node in spec_nodes(kind):
        assert "$ref" not in node, path
        assert "anyOf" not in node, path
        free = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
        assert "type" in node or any(node.get(each) for each in free), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_a_spec_is_bounded(kind: Kind) -> None:
    for path, node in spec_nodes(kind):
        if node.get("type") == "string" and "enum" not in node:
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if node.get("type") == "integer":
            assert "minimum" in node, path
            assert "maximum" in node, path
        if node.get("additionalProperties"):
            assert "maxProperties" in node, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_has_a_message_that_tells_what_to_do(kind: Kind) -> None:
    for path, node in spec_nodes(kind):
        for rule in node.get("x-kubernetes-validations", []):
            words = ("write", "create", "remove", "choose")
            assert any(word in rule["message"] for word in words), (path, rule)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_printer_columns_read_fields_that_the_schema_has(kind: Kind) -> None:
    version = crd(kind)["spec"]["versions"][0]
    known = {path for path, _ in nodes(version["schema"]["openAPIV3Schema"])}
    for column in version["additionalPrinterColumns"]:
        path = column["jsonPath"]
        if path.startswith(".metadata") or "[?" in path or ".metrics." in path:
            continue
        assert path in known, path


def test_a_crd_file_is_plain_yaml_of_one_definition() -> None:
    for path in CRDS.glob("*.yaml"):
        assert yaml.load(path.read_text(), yaml.CSafeLoader)["kind"] == "CustomResourceDefinition"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kubectl_explain_has_a_sentence_for_every_field(kind: Kind) -> None:
    version = crd(kind)["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        for path, node in nodes(properties[part], part):
            if not path.endswith("]"):
                assert node.get("description"), path
