"""The demo's kubectl follows an object on a real API server."""

import threading
from contextlib import closing
from typing import Any

from dev.kubectl import Kubectl
from tests.harness import TestControlPlane
from tests.harness.api import api

NAMESPACE = "default"
LONG = 60.0
"""Generous time for two versions of an object, in seconds."""


def config_map(name: str, word: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"word": word}}


def test_a_watch_tells_an_object_that_is_made_later_and_its_changes(
    control_plane: TestControlPlane,
) -> None:
    kubeconfig = control_plane.kubeconfig
    made = threading.Timer(0.5, api(kubeconfig).create, (config_map("later", "first"), NAMESPACE))
    with closing(Kubectl(kubeconfig, NAMESPACE).watch("configmap", "later", LONG)) as versions:
        made.start()
        assert next(versions)["data"] == {"word": "first"}
        api(kubeconfig).apply(config_map("later", "second"), NAMESPACE)
        assert next(versions)["data"] == {"word": "second"}


def test_a_watch_of_what_is_never_made_ends_with_its_time(control_plane: TestControlPlane) -> None:
    assert list(Kubectl(control_plane.kubeconfig, NAMESPACE).watch("configmap", "no", 2.0)) == []
