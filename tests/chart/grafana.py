"""Grafana's schema, as its own grafana-foundation-sdk has it for each type and each field.

The SDK's models are generated from the schemas that Grafana publishes (dashboard kind, panel
plugins, Prometheus query). They drop what they do not know and take any value, so that here a
dashboard is read into them, compared with what comes out again, and each value with its type.
"""

import importlib
import json
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.prometheus import Dataquery

Json = dict[str, Any]


def faults(dashboard: Json) -> list[str]:
    """Return a sentence for each place of a dashboard that Grafana's schema does not know so."""
    found = list(_part(Dashboard, dashboard, "dashboard"))
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            found += _panel(panel, f"panel {panel.get('title')}")
    return found


def _panel(panel: Json, place: str) -> Iterator[str]:
    """Yield what is wrong with the parts that the panel's own plugin or query defines."""
    plugin = importlib.import_module(f"grafana_foundation_sdk.models.{panel['type']}")
    yield from _part(plugin.Options, panel.get("options", {}), f"{place}: options")
    custom = panel["fieldConfig"]["defaults"].get("custom")
    if custom is not None:
        yield from _part(plugin.FieldConfig, custom, f"{place}: custom")
    for target in panel["targets"]:
        yield from _part(Dataquery, target, f"{place}: target")


def _part(model: Any, given: Json, place: str) -> Iterator[str]:
    try:
        read = model.from_json(json.loads(json.dumps(given)))
    except (KeyError, TypeError, ValueError) as error:
        yield f"{place} cannot be read: {error}"
        return
    yield from _unknown(given, json.loads(JSONEncoder().encode(read)), place)
    yield from _mistyped(read, place)


def _unknown(given: Any, known: Any, place: str) -> Iterator[str]:
    """Yield the fields that reading has dropped."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                yield f"{place}.{key} is not in the schema"
            else:
                yield from _unknown(value, known[key], f"{place}.{key}")
    elif isinstance(given, list) and isinstance(known, list):
        for index, (one, other) in enumerate(zip(given, known, strict=False)):
            yield from _unknown(one, other, f"{place}[{index}]")


def _mistyped(read: Any, place: str) -> Iterator[str]:
    """Yield the fields of a model whose value is not of its type."""
    types = typing.get_type_hints(type(read))
    for name, wanted in types.items():
        value = getattr(read, name, None)
        if not _fits(value, wanted):
            yield f"{place}.{name} is {value!r}, not {wanted}"
        for index, inner in enumerate(value if isinstance(value, list) else [value]):
            if hasattr(inner, "from_json"):
                yield from _mistyped(inner, f"{place}.{name}[{index}]")


def _fits(value: Any, wanted: Any) -> bool:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted in (Any, object):
        return True
    if origin is typing.Literal:
        return value in inner
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(each, inner[1]) for each in value.values())
    if inner:
        return any(_fits(value, each) for each in inner)
    if isinstance(value, dict) and hasattr(wanted, "from_json"):
        return not list(_part(wanted, value, ""))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return isinstance(value, wanted) or value in {each.value for each in wanted}
    return isinstance(value, wanted) if isinstance(wanted, type) else True
