import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from slipway.torchserve import ServerConfig, config_properties
from slipway_pods.serve.server_config import (
    MAX_FILE_BYTES,
    InvalidArchiveError,
    complete,
    startup_timeout,
)
from tests.unit.runtime.archives import damaged_zip


def archive(folder: Path, config: str | None) -> Path:
    path = folder / "iris.mar"
    model = {"modelName": "iris", "handler": "handler.py"}
    with zipfile.ZipFile(path, "w") as opened:
        if config is not None:
            model["configFile"] = "model-config.yaml"
            opened.writestr("model-config.yaml", config)
        opened.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": model}))
    return path


def entry(text: str) -> dict[str, Any]:
    (line,) = [line for line in text.splitlines() if line.startswith("model_snapshot=")]
    found: dict[str, Any] = json.loads(line.partition("=")[2])["models"]["iris"]["default"]
    return found


def template(**values: Any) -> str:
    return config_properties(ServerConfig("iris", "iris.mar", 2, **values))


def test_the_archives_batching_counts_where_the_deployment_says_nothing(tmp_path: Path) -> None:
    text = complete(template(), archive(tmp_path, "batchSize: 8\nmaxBatchDelay: 20\n"))
    assert (entry(text)["batchSize"], entry(text)["maxBatchDelay"]) == (8, 20)


def test_the_deployments_batching_wins(tmp_path: Path) -> None:
    given = template(batch_size=4, max_batch_delay=0)
    text = complete(given, archive(tmp_path, "batchSize: 8\nmaxBatchDelay: 20\n"))
    assert (entry(text)["batchSize"], entry(text)["maxBatchDelay"]) == (4, 0)


OWN = "minWorkers: 9\nmaxWorkers: 9\nresponseTimeout: 300\nstartupTimeout: 900\nmaxBatchDelay: 0\n"


def test_the_deployments_workers_and_timeouts_win(tmp_path: Path) -> None:
    given = template(response_timeout=60, startup_timeout=601, max_batch_delay=7)
    found = entry(complete(given, archive(tmp_path, OWN)))
    assert (found["minWorkers"], found["maxWorkers"]) == (2, 2)
    assert (found["responseTimeout"], found["startupTimeout"]) == (60, 601)
    assert found["maxBatchDelay"] == 7


def test_the_archives_timeouts_and_a_delay_of_nothing_hold_otherwise(tmp_path: Path) -> None:
    text = complete(template(), archive(tmp_path, OWN))
    found = entry(text)
    assert (found["responseTimeout"], found["startupTimeout"]) == (300, 900)
    assert found["maxBatchDelay"] == 0
    assert startup_timeout(text) == 900


@pytest.mark.parametrize("config", [None, "", "batchSize: many\nmaxBatchDelay: -1\n", "- a\n"])
def test_torchserves_defaults_fill_what_nobody_says(tmp_path: Path, config: str | None) -> None:
    found = entry(complete(template(), archive(tmp_path, config)))
    assert (found["batchSize"], found["maxBatchDelay"]) == (1, 100)
    assert (found["responseTimeout"], found["startupTimeout"]) == (120, 600)


def test_all_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    before, after = template(), complete(template(), archive(tmp_path, None))
    rest = [line for line in before.splitlines() if not line.startswith("model_snapshot=")]
    assert [line for line in after.splitlines() if not line.startswith("model_snapshot=")] == rest


def test_a_file_that_is_no_archive_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "iris.mar"
    path.write_bytes(b"not a zip")
    with pytest.raises(InvalidArchiveError, match=r"iris[.]mar is no [.]mar archive"):
        complete(template(), path)
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("readme", "no manifest")
    with pytest.raises(InvalidArchiveError, match="torch-model-archiver"):
        complete(template(), path)


@pytest.mark.parametrize("damage", ["encrypted", "Deflate64", "content", "manifest", "a large one"])
def test_a_damaged_archive_is_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "iris.mar"
    text = json.dumps({"model": {"modelName": "iris"}})
    if damage == "manifest":
        text = "[" * 100_000
    if damage == "a large one":
        text = json.dumps({"model": {"modelName": "x" * 2 * MAX_FILE_BYTES}})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("MAR-INF/MANIFEST.json", text)
    if damage in ("encrypted", "Deflate64", "content"):
        path.write_bytes(damaged_zip(path.read_bytes(), damage))
    with pytest.raises(InvalidArchiveError, match=r"iris[.]mar is no [.]mar archive"):
        complete(template(), path)


def test_a_broken_model_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError, match="is no YAML"):
        complete(template(), archive(tmp_path, "a: [1"))
