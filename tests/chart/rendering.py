"""The chart as Helm renders it, and ways to find objects in it."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from dev import gotools
from install.generate import CHART, NAMESPACE

Object = dict[str, Any]


class Refused(Exception):  # noqa: N818 - what Helm did with the values
    """Helm refused the values; the text is what it told the user."""


@dataclass(frozen=True)
class Release:
    """The objects of a rendered release."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> tuple[Object, ...]:
        """Return the objects of a kind."""
        return tuple(found for found in self.objects if found["kind"] == kind)

    def one(self, kind: str, name: str) -> Object:
        """Return the one object with this kind and name."""
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    def names(self, kind: str) -> set[str]:
        """Return the names of the objects of a kind."""
        return {found["metadata"]["name"] for found in self.of(kind)}

    def pods(self) -> Iterator[Object]:
        """Yield every pod and pod template."""
        yield from self.of("Pod")
        for found in self.objects:
            if template := found.get("spec", {}).get("template"):
                yield template

    def containers(self) -> Iterator[Object]:
        """Yield every container and init container."""
        for pod in self.pods():
            yield from pod["spec"]["containers"]
            yield from pod["spec"].get("initContainers", ())

    def rules(self) -> Iterator[Object]:
        """Yield every rule of every Role and ClusterRole."""
        for kind in ("Role", "ClusterRole"):
            for role in self.of(kind):
                yield from role["rules"]


def parse(text: str) -> Release:
    """Return the objects of YAML text."""
    documents: Iterable[Object | None] = yaml.load_all(text, yaml.CSafeLoader)
    return Release(tuple(found for found in documents if found))


def render(
    values: Mapping[str, Any] | None = None, release: str = "slipway", apis: Iterable[str] = ()
) -> Release:
    """Render the chart with these values; ``apis`` are kinds that the cluster has besides.

    Raises ``Refused`` where Helm does. What was rendered before is not rendered again.
    """
    return Release(tuple(json.loads(_rendered(json.dumps(values or {}), release, tuple(apis)))))


@lru_cache(maxsize=32)
def _rendered(values: str, release: str, apis: tuple[str, ...]) -> str:
    """Return the objects as JSON, so that each caller gets some of its own."""
    command = [
        *(str(gotools.path("helm")), "template", release, str(CHART), "--values", "-"),
        *("--namespace", NAMESPACE, "--kube-version", gotools.KUBERNETES_VERSION),
        *(f"--api-versions={api}" for api in apis),
    ]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return json.dumps(parse(done.stdout).objects)


def env(container: Object) -> dict[str, Any]:
    """Return a container's environment: name -> value, or where the value comes from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
