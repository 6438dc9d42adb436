import json
import runpy
from pathlib import Path
from typing import Any

import yaml

from slipway.api import ModelDeployment, TrainingJob

ROOT = Path(__file__).resolve().parents[3]
QUICKSTART = ROOT / "examples" / "quickstart"


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((QUICKSTART / name).read_text())
    return found


def test_the_config_map_holds_the_source_files_as_they_are() -> None:
    data = manifest("source-configmap.yaml")["data"]
    for name, text in data.items():
        assert text == (QUICKSTART / "src" / name).read_text(), "run python3 src/pack.py"
    assert set(data) == {"handler.py", "model.py", "train.py"}


def test_the_config_map_is_what_pack_makes() -> None:
    pack = runpy.run_path(str(QUICKSTART / "src" / "pack.py"))
    assert pack["packed"]() == (QUICKSTART / "source-configmap.yaml").read_text()


def test_the_objects_refer_to_each_other_and_to_files_that_are_there() -> None:
    metadata = {"namespace": "ns", "uid": "uid"}
    job = manifest("trainingjob.yaml")
    job["metadata"].update(metadata)
    training = TrainingJob.model_validate(job).spec
    assert training.source_config_map is not None
    assert training.source_config_map.name == manifest("source-configmap.yaml")["metadata"]["name"]
    sources = manifest("source-configmap.yaml")["data"]
    assert training.package is not None
    assert {training.entrypoint, training.package.handler, training.package.model_file} <= set(
        sources
    )
    deployment = manifest("modeldeployment.yaml")
    deployment["metadata"].update(metadata)
    served = ModelDeployment.model_validate(deployment).spec.model
    assert served.training_job is not None
    assert served.training_job.name == job["metadata"]["name"]


def test_every_field_of_the_manifests_is_known_to_the_kinds() -> None:
    for name, kind in (
        ("trainingjob.yaml", TrainingJob),
        ("modeldeployment.yaml", ModelDeployment),
    ):
        given = manifest(name)
        given["metadata"].update({"namespace": "ns", "uid": "uid"})
        known = kind.model_validate(given).spec.to_wire()
        assert _unknown(given["spec"], known) == []


def _unknown(given: Any, known: Any, path: str = "spec") -> list[str]:
    if not isinstance(given, dict):
        return []
    missing = [f"{path}.{key}" for key in given if key not in known]
    inner = (_unknown(given[key], known[key], f"{path}.{key}") for key in given if key in known)
    return missing + [name for names in inner for name in names]


def test_kubectl_applies_the_manifests_and_nothing_else() -> None:
    applied = {
        path.name for path in QUICKSTART.iterdir() if path.suffix in (".yaml", ".yml", ".json")
    }
    assert applied == {"source-configmap.yaml", "trainingjob.yaml", "modeldeployment.yaml"}


def test_the_request_has_rows_of_ten_numbers() -> None:
    rows = json.loads((QUICKSTART / "src" / "request.json").read_text())
    assert [len(row) for row in rows] == [10, 10, 10]
