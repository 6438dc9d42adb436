import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.trust import bundle, packaged, provenance
from tests.unit.runtime.trust import signers

DIGEST, COMMIT = "ab" * 32, "12" * 20
RECORD: dict[str, Any] = {
    "trainingJob": {
        "namespace": "team",
        "name": "net",
        "uid": "uid",
        "image": "registry.example/team/train:7",
        "imageDigest": f"sha256:{DIGEST}",
        "args": ["--epochs", "3"],
        "sourceRevision": COMMIT,
        "inputs": [
            {"name": "rows", "uri": "s3://slipway/shared/rows.csv", "sha256": "cd" * 32},
            {"name": "more", "uri": "pvc://data/more"},
        ],
        "metrics": {"accuracy": "0.91"},
    },
    "output": {
        "uri": "s3://slipway/outputs/team/net/uid",
        "files": [{"path": "model.pt", "sizeBytes": 7, "sha256": "ef" * 32}],
    },
    "package": {"modelName": "net", "modelVersion": "1.0", "spec": {"handler": "handler.py"}},
    "requirements": [
        {"name": "Pillow", "version": "12.0.0", "sha256": "01" * 32},
        {"name": "torch_scatter", "version": "2.1.2+pt213", "sha256": "02" * 32},
    ],
}
MADE = provenance.Made("net-1.0.mar", "23" * 32, RECORD)


def test_the_provenance_names_image_commit_inputs_and_output_by_their_digests() -> None:
    found = provenance.statement(MADE, {})
    definition = found["predicate"]["buildDefinition"]
    digests = {one["name"]: one.get("digest") for one in definition["resolvedDependencies"]}
    assert digests == {
        "image": {"sha256": DIGEST},
        "source": {"gitCommit": COMMIT},
        "inputs/rows": {"sha256": "cd" * 32},
        "inputs/more": None,
        "output/model.pt": {"sha256": "ef" * 32},
    }
    assert definition["externalParameters"]["trainingJob"]["args"] == ["--epochs", "3"]
    assert found["subject"] == [{"name": "net-1.0.mar", "digest": {"sha256": "23" * 32}}]


def test_an_image_without_a_registrys_digest_says_so() -> None:
    job = {key: value for key, value in RECORD["trainingJob"].items() if key != "imageDigest"}
    found = provenance.statement(replace(MADE, record={**RECORD, "trainingJob": job}), {})
    image, *_ = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert image == {
        "name": "image",
        "uri": "registry.example/team/train:7",
        "annotations": {
            "slipway_digest": "unknown: the kubelet named no registry's digest of this image"
        },
    }


@pytest.mark.parametrize(
    ("source", "revision", "wanted"),
    [
        (
            {"git": {"url": "https://git.example/net", "ref": "main"}},
            COMMIT,
            {"uri": "git+https://git.example/net", "digest": {"gitCommit": COMMIT}},
        ),
        (
            {"git": {"url": "git@git.example:team/net"}},
            DIGEST,  # of a repository whose objects have SHA-256s
            {"uri": "git+ssh://git@git.example/team/net", "digest": {"gitCommit": DIGEST}},
        ),
        (
            {"archive": {"uri": "https://files.example/net.zip"}},
            DIGEST,
            {"uri": "https://files.example/net.zip", "digest": {"sha256": DIGEST}},
        ),
        ({}, COMMIT, {"digest": {"gitCommit": COMMIT}}),
        ({}, DIGEST, {"digest": {"sha256": DIGEST}}),
    ],
)
def test_the_source_is_named_by_its_place_and_what_it_resolved_to(
    source: dict[str, Any], revision: str, wanted: dict[str, Any]
) -> None:
    job = {**RECORD["trainingJob"], "sourceRevision": revision, "source": source}
    found = provenance.statement(replace(MADE, record={**RECORD, "trainingJob": job}), {})
    definition = found["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][1] == {"name": "source", **wanted}
    assert definition["externalParameters"]["trainingJob"]["source"] == source


def test_the_bill_has_the_data_the_figures_and_the_packages() -> None:
    found = provenance.bill(MADE)
    model = found["metadata"]["component"]
    assert model["modelCard"] == {
        "modelParameters": {"datasets": [{"ref": "input:rows"}, {"ref": "input:more"}]},
        "quantitativeAnalysis": {
            "performanceMetrics": [{"type": "accuracy", "value": "0.91"}],
        },
    }
    references = [one["bom-ref"] for one in found["components"]]
    assert references == [
        *("image", "input:rows", "input:more", "output:model.pt"),
        *("pypi:Pillow", "pypi:torch_scatter"),
    ]
    assert found["dependencies"] == [{"ref": "model", "dependsOn": references}]
    assert [one["purl"] for one in found["components"][-2:]] == [
        "pkg:pypi/pillow@12.0.0",
        "pkg:pypi/torch-scatter@2.1.2%2Bpt213",
    ]


def test_a_job_of_which_little_is_known_has_both() -> None:
    record = {**RECORD, "trainingJob": {"name": "net"}, "output": {"uri": "s3://x", "files": []}}
    made = provenance.Made("net-1.0.mar", "23" * 32, record)
    assert provenance.bill(made)["metadata"]["component"]["modelCard"] == {}
    assert provenance.statement(made, {})["predicateType"] == "https://slsa.dev/provenance/v1"


def test_the_model_of_another_job_is_told_with_that_job_and_is_no_data_that_was_learned() -> None:
    of_job = {"trainingJob": "big", "trainingJobUID": "uid-big", "modelVersion": "1.0"}
    teacher = {"name": "teacher", "uri": "s3://slipway/big-1.0.mar", "sha256": "cd" * 32, **of_job}
    record = {**RECORD, "trainingJob": {"name": "net", "inputs": [teacher]}}
    made = provenance.Made("net-1.0.mar", "23" * 32, record)
    definition = provenance.statement(made, {})["predicate"]["buildDefinition"]
    (told,) = (o for o in definition["resolvedDependencies"] if o["name"] == "inputs/teacher")
    assert told["annotations"] == of_job
    assert (told["uri"], told["digest"]) == (teacher["uri"], {"sha256": "cd" * 32})
    found = provenance.bill(made)
    assert found["metadata"]["component"]["modelCard"] == {}
    (model,) = (one for one in found["components"] if one["bom-ref"] == "input:teacher")
    assert (model["type"], model["version"]) == ("machine-learning-model", "1.0")
    assert model["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    assert "input:teacher" in found["dependencies"][0]["dependsOn"]


def test_the_provenance_names_the_function_that_judged_by_the_digest_of_its_file() -> None:
    spec = {"samples": {"file": "rows.jsonl", "evaluate": "judge.py:accuracy"}}
    program = {"sha256": "45" * 32, "function": "accuracy"}
    record = {**RECORD, "package": {**RECORD["package"], "spec": spec}, "evaluation": program}
    found = provenance.statement(replace(MADE, record=record), {})
    *_, used = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert used == {
        "name": "evaluation",
        "digest": {"sha256": "45" * 32},
        "annotations": {"function": "judge.py:accuracy"},
    }


def test_both_say_what_the_gates_said() -> None:
    rows = [{"metric": "accuracy", "verdict": "Failed", "value": "0.91"}]
    made = provenance.Made("net-1.0.mar", "23" * 32, {**RECORD, "gates": rows})
    assert provenance.statement(made, {})["predicate"]["runDetails"]["slipway_gates"] == rows
    assert provenance.bill(made)["metadata"]["component"]["properties"] == [
        {"name": "slipway:gate:accuracy", "value": "Failed"}
    ]


def test_the_documents_are_signed_by_the_archives_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path = signers.private(1), tmp_path / "private.pem"
    path.write_bytes(signers.private_pem(key))
    monkeypatch.setattr(packaged, "PRIVATE_KEY", path)
    found = packaged.documents({"sign": {"keySecretRef": {}}}, MADE, b"lineage")
    statement = bundle.verified(found["provenance.json"], [key.public_key()])
    digests = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert digests == {
        "net-1.0.mar": "23" * 32,
        "lineage.json": hashlib.sha256(b"lineage").hexdigest(),
        "bom.cdx.json": hashlib.sha256(found["bom.cdx.json"]).hexdigest(),
    }
    assert packaged.documents({"sign": {"keySecretRef": {}}}, MADE, b"lineage") == found


def test_without_a_key_the_provenance_is_the_bare_statement() -> None:
    found = json.loads(packaged.documents({}, MADE, b"lineage")["provenance.json"])
    assert found["_type"] == bundle.STATEMENT_TYPE
