import json
from typing import Any

from slipway.torchserve import ServerConfig, config_properties


def properties(**values: Any) -> dict[str, str]:
    text = config_properties(ServerConfig("iris", "iris.mar", 2, **values))
    return dict(line.split("=", 1) for line in text.splitlines())


def entry(found: dict[str, str]) -> dict[str, Any]:
    snapshot = json.loads(found["model_snapshot"])
    assert snapshot["modelCount"] == len(snapshot["models"]) == 1
    (value,) = snapshot["models"]["iris"].values()
    assert isinstance(value, dict)
    return value


def test_everything_listens_on_loopback_alone() -> None:
    addresses = {key: value for key, value in properties().items() if key.endswith("_address")}
    assert len(addresses) == 5
    assert all("127.0.0.1" in value for value in addresses.values())


def test_nothing_can_change_the_server_once_it_runs() -> None:
    found = properties()
    assert found["allowed_urls"] == "none"
    assert found["enable_model_api"] == "false"
    assert found["enable_envvars_config"] == "false"
    assert found["disable_token_authorization"] == "true"


def test_the_model_is_loaded_by_a_snapshot_whose_values_win_over_the_archives() -> None:
    found = properties(batch_size=8, max_batch_delay=0, response_timeout=60, startup_timeout=600)
    assert "load_models" not in found
    assert entry(found) == {
        "defaultVersion": True,
        "marName": "iris.mar",
        "minWorkers": 2,
        "maxWorkers": 2,
        "batchSize": 8,
        "maxBatchDelay": 0,
        "responseTimeout": 60,
        "startupTimeout": 600,
    }


def test_what_nobody_asked_for_is_left_to_the_archive() -> None:
    left = {"batchSize", "maxBatchDelay", "responseTimeout", "startupTimeout"}
    assert not left & set(entry(properties()))


def test_the_ports_can_be_chosen() -> None:
    found = properties(inference_port=1, management_port=2, metrics_port=3)
    assert found["inference_address"] == "http://127.0.0.1:1"
    assert found["management_address"] == "http://127.0.0.1:2"
    assert found["metrics_address"] == "http://127.0.0.1:3"
