"""Write docs/reference.md from the code: fields, conditions with their reasons, metrics, settings.

Run by ``make docs``; a unit test compares the result with what is committed.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from docs import metrics
from slipway.api.crd import KINDS, Kind, crd
from slipway.kube import reasons as common_reasons
from slipway.serving import reasons as serving_reasons
from slipway.settings import Settings, StoreSettings
from slipway.training import reasons as training_reasons

TARGET = Path(__file__).with_name("reference.md")
Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in lines
    )


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each field below a schema as (path, schema, whether it is required)."""
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, inner, name in schema.get("required", [])
        yield from fields(inner, here)
        if inner.get("type") == "array":
            yield from fields(inner["items"], f"{here}[]")


def kind_of(schema: dict[str, Any]) -> str:
    """Return a field's type and bounds in words."""
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "type" not in schema:
        return "number or string" if "pattern" in schema else "any JSON value"
    name = str(schema["type"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if name == "array":
        return f"list of {schema['items'].get('type', 'values')}, at most {schema['maxItems']}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{name}, {low} to {high}"
    return "map" if "additionalProperties" in schema else name


def field_rows(kind: Kind, part: str) -> Iterator[Row]:
    """Yield the table rows of a kind's spec or status."""
    version = crd(kind)["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]["properties"][part]
    for path, schema, required in fields(root, part):
        default = schema.get("default", "")
        shown = "required" if required and part == "spec" else ""
        if default != "" and not isinstance(default, dict):
            shown = f"`{default}`".lower() if isinstance(default, bool) else f"`{default}`"
        yield f"`{path}`", kind_of(schema), shown, " ".join(schema["description"].split())


def reason_rows(module: ModuleType) -> Iterator[Row]:
    """Yield each constant of a module of reasons with the docstring below it."""
    body = ast.parse(inspect.getsource(module)).body
    for node, after in pairwise(body):
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(node, ast.Assign) and documented and isinstance(node.value, ast.Constant):
            text = str(after.value.value)  # type: ignore[attr-defined]
            yield f"`{node.value.value!s}`", " ".join(text.split())


def setting_rows(settings: type[BaseSettings]) -> Iterator[Row]:
    """Yield the environment variables of a settings class."""
    prefix = settings.model_config["env_prefix"]
    for name, info in settings.model_fields.items():
        if isinstance(info.default, SecretStr):
            yield f"`{prefix}{name.upper()}`", "``", _told(info)
        elif isinstance(info.default, str | int | float | bool):
            yield f"`{prefix}{name.upper()}`", f"`{info.default}`", _told(info)


def _told(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())


def render() -> str:
    """Return the whole page."""
    parts = [
        "# Reference",
        "Generated from the code by `make docs`; do not edit. `kubectl explain` says it too.",
    ]
    for kind, reasons in zip(KINDS, (training_reasons, serving_reasons), strict=True):
        head = ("field", "type", "default", "meaning")
        parts += [f"## {kind.name}", kind.description]
        parts += ["### Spec", table(head, field_rows(kind, "spec"))]
        parts += ["### Status", table(head, field_rows(kind, "status"))]
        parts += [
            "### Conditions and their reasons",
            table(("name", "meaning"), reason_rows(reasons)),
        ]
    parts += [
        "## The condition Stalled of both kinds",
        table(("name", "meaning"), reason_rows(common_reasons)),
        "## Metrics",
        "Labels of pods' series come from the pods' own labels, by the scrape; see metrics.md.",
        table(metrics.HEAD, metrics.rows()),
        "## Settings of the operator",
        "Environment variables; the chart sets them.",
        table(("variable", "default", "meaning"), setting_rows(Settings)),
        table(("variable", "default", "meaning"), setting_rows(StoreSettings)),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render())
