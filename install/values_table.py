"""The table of the chart's values, made of values.yaml and its comments."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml


@dataclass(frozen=True)
class Value:
    """One value of the chart; ``default`` is JSON, ``about`` its comment."""

    path: str
    default: str
    about: str


def values(text: str) -> list[Value]:
    """Return the values of a values.yaml in their order.

    A value's comment is the lines right above it or, where it has none, those of the nearest
    mapping around it.
    """
    root = yaml.compose(text)
    return list(_walk(root, text.splitlines(), (), "")) if root else []


def table(text: str) -> str:
    """Return a Markdown table of the values of a values.yaml."""
    rows = (f"| `{each.path}` | `{each.default}` | {each.about} |\n" for each in values(text))
    return "| Value | Default | What it is |\n|---|---|---|\n" + "".join(rows)


def _walk(node: yaml.Node, lines: list[str], path: tuple[str, ...], about: str) -> Iterator[Value]:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        default = json.dumps(yaml.safe_load(yaml.serialize(node)))
        yield Value(".".join(path), default, about)
        return
    for key, inner in node.value:
        own = _comment(lines, key.start_mark.line)
        yield from _walk(inner, lines, (*path, key.value), own or about)


def _comment(lines: list[str], at: int) -> str:
    first = at
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(line.strip().removeprefix("#").strip() for line in lines[first:at])
