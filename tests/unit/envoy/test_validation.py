import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.envoy import Cors, ProxyConfig, bootstrap, route_file, to_text
from tests.unit.envoy.pod import envoy_binary, mount, proxy_config, upstream_of


def longest_own_server() -> dict[str, Any]:
    """Return a spec.server whose every field is as long as the kind allows."""
    path = "/" + "~!&()*+,;=:@-._" * 68 + "abc"
    own = {
        "image": "mine:1",
        "predictPath": path,
        "paths": [f"{path[:1000]}/{number}" for number in range(32)],
        "readiness": {"path": path},
        "drain": {"path": path},
        "metricsPath": path,
        "maxConcurrentRequests": 10_000,
    }
    return {"runtime": "Container", "container": own}


def grpc_server(service: str) -> dict[str, Any]:
    """Return a spec.server whose gRPC health service has a name."""
    own = {"image": "mine:1", "readiness": {"grpc": {"service": service}}}
    return {"runtime": "Container", "container": own}


@pytest.mark.parametrize(
    ("workers", "limit", "server"),
    [
        (1, 1024, None),
        (3, 98_765_432, None),
        (64, 100 << 20, None),
        (1, 1024, longest_own_server()),
        (1, 1024, grpc_server('"}, %REQ(x)% {{ \r\n\x00 \u2028' * 12)),
    ],
)
def test_envoy_accepts_the_generated_files(
    tmp_path: Path, workers: int, limit: int, server: dict[str, Any] | None
) -> None:
    config = proxy_config(
        tmp_path,
        workers=workers,
        response_timeout=3600,
        max_request_bytes=limit,
        server=server,
        cors=Cors(("https://app.example",)),
        forward_token="between-us",
        drain_token="hooks",
    )
    mount(tmp_path, to_text(route_file(config)))
    path = tmp_path / "envoy.yaml"
    path.write_text(to_text(bootstrap(config)))
    done = subprocess.run(
        [envoy_binary(), "--mode", "validate", "-c", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()


def test_no_address_but_loopback_is_contacted() -> None:
    text = to_text(bootstrap(ProxyConfig("demo", "iris", "iris", upstream_of("iris"), 120)))
    clusters = yaml.load(text, yaml.CSafeLoader)["static_resources"]["clusters"]
    addresses = {
        str(next(iter(endpoint["endpoint"]["address"].values())))
        for cluster in clusters
        for group in cluster.get("load_assignment", {}).get("endpoints", [])
        for endpoint in group["lb_endpoints"]
    }
    loopback = {address for address in addresses if "'address': '127.0.0.1'" in address}
    assert addresses - loopback == {"{'path': '/slipway/admin/envoy.sock'}"}
    assert len(loopback) == 4
    assert "dns" not in text.lower()


def test_equal_settings_give_equal_text() -> None:
    first, second = (
        ProxyConfig("demo", "iris", "iris", upstream_of("iris", 2), 60) for _ in range(2)
    )
    assert to_text(bootstrap(first)) == to_text(bootstrap(second))
    assert to_text(route_file(first)) == to_text(route_file(second))
