import subprocess
from pathlib import Path

import pytest
import yaml

from slipway.envoy import ProxyConfig, bootstrap, route_file, to_text
from tests.unit.envoy.pod import envoy_binary, mount, proxy_config, upstream_of


@pytest.mark.parametrize(("workers", "limit"), [(1, 1024), (3, 98_765_432), (64, 100 << 20)])
def test_envoy_accepts_the_generated_files(tmp_path: Path, workers: int, limit: int) -> None:
    config = proxy_config(tmp_path, workers=workers, response_timeout=3600, max_request_bytes=limit)
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
    clusters = yaml.safe_load(text)["static_resources"]["clusters"]
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
