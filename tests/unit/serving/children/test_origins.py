"""Which web pages may ask a model: origins as browsers send them."""

from typing import Any

import pytest
import yaml

from slipway.plan import Manifest
from slipway.serving.children.names import ROUTES_FILE
from tests.unit.serving.world import World


def origins(*allowed: str) -> Any:
    world = World(expose={"cors": {"allowOrigins": list(allowed)}})
    world.reconcile()
    maps = (one for ref, one in world.children.items() if ref.kind == "ConfigMap")
    (routes,) = (one for one in maps if ROUTES_FILE in one["data"])
    return matches(routes)


def matches(config_map: Manifest) -> Any:
    (resource,) = yaml.safe_load(config_map["data"][ROUTES_FILE])["resources"]
    (host,) = resource["virtual_hosts"]
    (policy,) = host["typed_per_filter_config"].values()
    return [one.get("exact") for one in policy["allow_origin_string_match"]]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://app.example.com:80", "https://app.example.com:80"),
    ],
)
def test_an_origin_is_matched_as_browsers_send_it(written: str, sent: str) -> None:
    assert origins(written, sent) == [sent]
