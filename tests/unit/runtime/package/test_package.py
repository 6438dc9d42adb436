import hashlib
import json
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

import slipway_runtime as slipway
from slipway_pods import room
from slipway_pods.agent import upload
from slipway_pods.package import built_in, mar, package
from slipway_pods.trust import packaged
from slipway_runtime.termination import EX_DATAERR
from tests.harness.ports import free_port
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.runtime.conftest import stop
from tests.unit.runtime.trust import keysets
from tests.unit.runtime.wheels import make_wheel

OUTPUT_URI = "s3://slipway/outputs/ns/net/uid"
MODEL_KEY = "models/ns/net/uid/net-1.0.mar"
LINEAGE_KEY = "models/ns/net/uid/lineage.json"
SPEC: dict[str, Any] = {
    "modelName": "net",
    "modelVersion": "1.0",
    "serializedFile": "model.pt",
    "modelFile": "net.py",
    "handler": "handler.py",
}


class Packager:
    """A finished training's output and source, and the packaging pod's variables."""

    def __init__(self, s3: S3Server, folder: Path, word: Path) -> None:
        self.s3 = s3
        self.output, self.source = folder / "output", folder / "source"
        self.output.mkdir()
        self.source.mkdir()
        (self.output / "model.pt").write_text("weights")
        (self.source / "net.py").write_text("class Net: ...")
        (self.source / "handler.py").write_text("class Handler: ...")
        self._word = word

    def env(self, spec: dict[str, Any]) -> dict[str, str]:
        return {
            **os.environ,
            "SLIPWAY_OUTPUT_URI": OUTPUT_URI,
            "SLIPWAY_PACKAGE_URI": f"s3://slipway/{MODEL_KEY}",
            "SLIPWAY_LINEAGE_URI": f"s3://slipway/{LINEAGE_KEY}",
            "SLIPWAY_PACKAGE": json.dumps(spec),
            "SLIPWAY_LINEAGE": json.dumps({"namespace": "ns", "name": "net", "uid": "uid"}),
            "SLIPWAY_SOURCE_DIR": str(self.source),
        }

    def store(self) -> None:
        upload.upload(self.output, OUTPUT_URI)

    def run(self, **changed: Any) -> int:
        """Package, in this process, with a changed spec; None takes a field away."""
        spec = {key: value for key, value in {**SPEC, **changed}.items() if value is not None}
        return package.main(self.env(spec))

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._word.read_text())
        return found

    @property
    def archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(BytesIO(self.s3.read(MODEL_KEY)))


def test_a_training_becomes_an_archive_and_its_digest_is_told(packager: Packager) -> None:
    assert packager.run() == 0
    content = packager.s3.read(MODEL_KEY)
    assert packager.word == {
        "reason": "Packaged",
        "package": {
            "uri": f"s3://slipway/{MODEL_KEY}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "sizeBytes": len(content),
            "modelName": "net",
            "modelVersion": "1.0",
            "lineageUri": f"s3://slipway/{LINEAGE_KEY}",
            "hasProvenance": True,
        },
    }
    assert packager.archive.read("model.pt") == b"weights"
    assert {"net.py", "handler.py"} < set(packager.archive.namelist())


def test_the_lineage_tells_the_job_its_output_and_the_archive(packager: Packager) -> None:
    packager.run()
    lineage = json.loads(packager.s3.read(LINEAGE_KEY))
    assert lineage["trainingJob"] == {"namespace": "ns", "name": "net", "uid": "uid"}
    assert [file["path"] for file in lineage["output"]["files"]] == ["model.pt"]
    assert lineage["package"]["sha256"] == packager.word["package"]["sha256"]
    assert lineage["package"]["spec"] == SPEC


def test_packaging_again_gives_the_same_bytes(packager: Packager) -> None:
    packager.run()
    first = packager.s3.read(MODEL_KEY), packager.s3.read(LINEAGE_KEY)
    assert packager.run() == 0
    assert (packager.s3.read(MODEL_KEY), packager.s3.read(LINEAGE_KEY)) == first


def test_an_encrypted_archive_is_stored_and_its_digest_is_that_of_what_is_stored(
    packager: Packager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packager.run()
    plain = packager.s3.read(MODEL_KEY)
    path = tmp_path / "keyset.json"
    monkeypatch.setattr(packaged, "KEYSET", path)
    wanted = {"encrypt": {"keySecretRef": {"name": "keys", "key": "archives"}}}
    assert packager.run(**wanted) == EX_DATAERR
    assert packager.word["reason"] == "KeyNotFound"
    assert packager.s3.read(MODEL_KEY) == plain
    path.write_text(keysets.KEYSET)
    assert packager.run(**wanted) == 0
    stored = packager.s3.read(MODEL_KEY)
    assert b"class Handler" not in stored
    described = packager.word["package"]
    assert described["sha256"] == hashlib.sha256(stored).hexdigest()
    assert described["sizeBytes"] == len(stored)
    assert packager.run(**wanted) == 0
    assert packager.s3.read(MODEL_KEY) == stored


@pytest.fixture
def with_pip(monkeypatch: pytest.MonkeyPatch, pip_python: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(pip_python))


@pytest.mark.usefixtures("with_pip")
def test_requirements_are_installed_into_the_archive_and_told_by_the_lineage(
    packager: Packager,
) -> None:
    wheel = make_wheel(packager.source / "wheels", "outer")
    (packager.source / "requirements.txt").write_text(f"--no-index\n./wheels/{wheel.name}\n")
    more = {"requirementsFile": "requirements.txt", "extraFiles": ["wheels"]}
    assert packager.run(**more) == 0
    first = packager.s3.read(MODEL_KEY)
    names = packager.archive.namelist()
    assert {"outer/__init__.py", "requirements.txt", "outer-1.0.dist-info/METADATA"} < set(names)
    manifest = json.loads(packager.archive.read(mar.MANIFEST))
    assert "requirementsFile" not in manifest["model"]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lineage = json.loads(packager.s3.read(LINEAGE_KEY))
    assert lineage["requirements"] == [{"name": "outer", "version": "1.0", "sha256": digest}]
    assert packager.run(**more) == 0
    assert packager.s3.read(MODEL_KEY) == first


@pytest.mark.usefixtures("with_pip")
def test_the_last_lines_of_pip_are_in_the_last_word(packager: Packager) -> None:
    (packager.source / "requirements.txt").write_text("--no-index\nnowhere\n")
    assert packager.run(requirementsFile="requirements.txt") == EX_DATAERR
    assert packager.word["reason"] == "RequirementsFailed"
    assert "No matching distribution found for nowhere" in packager.word["logTail"]


@pytest.mark.usefixtures("with_pip")
def test_an_index_that_does_not_answer_is_worth_another_try(packager: Packager) -> None:
    index = f"http://127.0.0.1:{free_port()}/simple"
    (packager.source / "requirements.txt").write_text(f"-i {index}\nouter\n")
    assert packager.run(requirementsFile="requirements.txt") == 1
    assert packager.word["reason"] == "IndexUnreachable"


def test_a_requirements_file_that_would_run_code_is_refused(packager: Packager) -> None:
    (packager.source / "requirements.txt").write_text("-e .\n")
    assert packager.run(requirementsFile="requirements.txt") == EX_DATAERR
    assert packager.word["reason"] == "InvalidRequirements"
    assert "'-e .'" in packager.word["message"]


def test_a_file_in_the_output_comes_before_the_sources(packager: Packager) -> None:
    (packager.output / "handler.py").write_text("class Trained: ...")
    packager.store()
    packager.run()
    assert packager.archive.read("handler.py") == b"class Trained: ..."


def test_extra_files_and_folders_requirements_and_settings_are_in_the_archive(
    packager: Packager,
) -> None:
    (packager.output / "vocabulary").mkdir()
    (packager.output / "vocabulary" / "a.txt").write_text("a")
    (packager.source / "labels.json").write_text("[]")
    (packager.source / "requirements.txt").write_text("numpy")
    packager.store()
    config = {"handler": {"threshold": 0.5}, "batchSize": 4}
    extra = ["vocabulary", "labels.json"]
    packager.run(
        extraFiles=extra,
        requirementsFile="requirements.txt",
        installRequirements="AtStart",
        config=config,
    )
    archive = packager.archive
    assert {"vocabulary/a.txt", "labels.json", "requirements.txt"} < set(archive.namelist())
    assert archive.read("model-config.yaml") == b"batchSize: 4\nhandler:\n  threshold: 0.5\n"


def test_a_package_of_the_source_is_imported_from_the_archive_by_its_name(
    packager: Packager, tmp_path: Path
) -> None:
    for folder in ("src/pkg", "src/pkg/sub"):
        (packager.source / folder).mkdir(parents=True, exist_ok=True)
        (packager.source / folder / "__init__.py").write_text("")
    (packager.source / "src/pkg/sub/tools.py").write_text("x = 7")
    assert packager.run(extraFiles=["src/pkg"]) == 0
    packager.archive.extractall(tmp_path / "served")
    program = "from pkg.sub.tools import x; print(x)"
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=tmp_path / "served") == b"7\n"


def test_a_saved_model_with_files_of_one_name_in_two_folders_is_packaged(
    packager: Packager,
) -> None:
    for path in ("hf/model.safetensors", "hf/config.json", "hf/1_Pooling/config.json"):
        (packager.output / path).parent.mkdir(parents=True, exist_ok=True)
        (packager.output / path).write_text(path)
    packager.store()
    extra = ["hf", "hf/config.json", "hf", "handler.py"]
    assert packager.run(serializedFile="hf/model.safetensors", extraFiles=extra) == 0
    assert set(packager.archive.namelist()) == {
        "MAR-INF/MANIFEST.json",
        "config.json",
        "handler.py",
        "hf/1_Pooling/config.json",
        "hf/config.json",
        "hf/model.safetensors",
        "net.py",
    }


@pytest.mark.parametrize(
    ("serialized", "extra", "place"),
    [
        ("hf/weights.pt", ["hf"], "hf/weights.pt"),
        ("hf/weights.pt", ["assets", "hf/"], "hf/weights.pt"),
        ("run/hf/weights.pt", ["run/hf"], "hf/weights.pt"),
        ("hf/weights.pt", ["assets"], "weights.pt"),
        ("hf/weights.pt", ["hf/weights.pt"], "weights.pt"),
        ("model.pt", ["hf", "run"], "model.pt"),
    ],
)
def test_weights_in_a_folder_of_extra_files_are_in_the_archive_once_where_its_manifest_says(
    packager: Packager, serialized: str, extra: list[str], place: str
) -> None:
    for path in ("hf/weights.pt", "run/hf/weights.pt", "assets/labels.txt", "model.pt"):
        (packager.output / path).parent.mkdir(parents=True, exist_ok=True)
        (packager.output / path).write_text(f"content of {path}")
    packager.store()
    assert packager.run(serializedFile=serialized, extraFiles=extra) == 0
    archive, content = packager.archive, f"content of {serialized}".encode()
    manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
    assert manifest["model"]["serializedFile"] == place
    assert [name for name in archive.namelist() if archive.read(name) == content] == [place]


def test_the_same_content_under_one_name_is_one_file(packager: Packager) -> None:
    for folder in ("a", "b"):
        (packager.source / folder).mkdir()
        (packager.source / folder / "same.txt").write_text("same")
    assert packager.run(extraFiles=["a/same.txt", "b/same.txt"]) == 0


def test_a_folder_with_something_that_is_no_file_of_it_is_refused_by_its_name(
    packager: Packager,
) -> None:
    (packager.source / "assets").mkdir()
    (packager.source / "assets" / "stolen").symlink_to("/etc/passwd")
    assert packager.run(extraFiles=["assets"]) == 65
    assert "'assets/stolen' in it, and it is a link that leads out" in packager.word["message"]


def test_a_built_in_handler_needs_no_file(packager: Packager) -> None:
    assert packager.run(handler="image_classifier") == 0
    assert "handler.py" not in packager.archive.namelist()


@pytest.mark.parametrize("name", built_in.HANDLERS)
def test_a_handler_of_the_release_lies_in_the_archive_with_all_that_it_imports(
    packager: Packager, tmp_path: Path, name: str
) -> None:
    (packager.source / "vocab.txt").write_text("good")
    slipway.signature({"age": [31.5]}, folder=packager.source)
    extra = ["vocab.txt", "signature.json"]
    assert packager.run(handler=name, extraFiles=extra) == 0, packager.word
    packager.archive.extractall(tmp_path / "archive")
    manifest = json.loads(packager.archive.read(mar.MANIFEST))
    assert manifest["model"]["handler"] == f"slipway_{name.replace('-', '_')}.py"
    assert imports_alone(tmp_path / "archive", manifest["model"]["handler"]) == ""


def imports_alone(archive: Path, handler: str) -> str:
    """Import a handler as TorchServe does, where nothing of ours is; returns what went wrong."""
    code = (
        "import sys, types; sys.path.insert(0, '.')\n"
        "torch = sys.modules['torch'] = types.ModuleType('torch')\n"
        "for name in ('ts', 'ts.torch_handler', 'ts.torch_handler.base_handler'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "sys.modules['ts.torch_handler.base_handler'].BaseHandler = object\n"
        "sys.modules['slipway_runtime'] = sys.modules['slipway_pods'] = None\n"
        f"import {handler.removesuffix('.py')} as handler, slipway_handlers\n"
        "import os; assert slipway_handlers.__file__.startswith(os.getcwd())\n"
        "own = [c for c in vars(handler).values() if getattr(c, '__module__', '') == "
        "handler.__name__]\nassert len(own) == 1 and own[0].handle, own\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=archive, capture_output=True, text=True, check=False
    )
    return done.stderr


@pytest.mark.parametrize(
    ("handler", "changed", "why"),
    [
        ("tensor", {"config": {"handler": {"shpe": [1]}}}, "has no setting shpe"),
        ("image-classification", {"config": {"handler": {"size": 0}}}, "handler.size: write"),
        ("text-classification", {}, "needs tokenizer.py or vocab.txt"),
        ("tensor", {"extraFiles": ["slipway_tensor.py"]}, "rename one of them"),
        ("tensor", {"extraFiles": ["slipway_handlers"]}, "brings another file"),
    ],
)
def test_what_a_handler_of_the_release_could_not_begin_with_is_refused(
    packager: Packager, handler: str, changed: dict[str, Any], why: str
) -> None:
    (packager.source / "slipway_tensor.py").write_text("x = 1")
    (packager.source / "slipway_handlers").mkdir()
    (packager.source / "slipway_handlers" / "tensors.py").write_text("x = 1")
    assert packager.run(handler=handler, **changed) == 65
    assert packager.word["reason"] == "InvalidPackage"
    assert why in packager.word["message"]


def test_a_model_file_for_a_handler_of_the_release_has_one_class(packager: Packager) -> None:
    (packager.source / "net.py").write_text("class Block: ...\nclass Net: ...")
    assert packager.run(handler="tensor") == 65
    assert "defines 2 (Block, Net)" in packager.word["message"]


def test_a_missing_file_is_named_with_where_it_was_looked_for_and_what_is_there(
    packager: Packager,
) -> None:
    assert packager.run(serializedFile="modl.pt") == 65
    word = packager.word
    assert word["reason"] == "FileNotFound"
    assert word["message"] == (
        "package.serializedFile 'modl.pt' is neither in the job's output (files there: model.pt) "
        f"nor in its source {packager.source} (files there: handler.py, net.py)."
    )
    assert packager.s3.keys("models") == set()


def test_a_handler_that_is_neither_file_nor_built_in_is_answered_with_those_there_are(
    packager: Packager,
) -> None:
    assert packager.run(handler="image_clasifier") == 65
    assert "image_classifier" in packager.word["message"]
    assert packager.word["reason"] == "InvalidHandler"


def test_a_function_of_the_handlers_file_is_named_in_torchserves_way(packager: Packager) -> None:
    (packager.source / "handler.py").write_text("class A: ...\nclass B: ...\ndef serve(d, c): ...")
    assert packager.run(handler="handler.py:serve") == 0
    assert "handler.py" in packager.archive.namelist()
    manifest = json.loads(packager.archive.read(mar.MANIFEST))
    assert manifest["model"]["handler"] == "handler.py:serve"


def test_a_handler_with_a_syntax_error_is_refused_by_its_line_and_nothing_is_stored(
    packager: Packager,
) -> None:
    (packager.source / "handler.py").write_text("class H:\n  def f(self):\n    x = soft(1\n")
    assert packager.run() == 65
    assert packager.word == {
        "reason": "InvalidHandler",
        "message": "package.handler 'handler.py' cannot be imported: line 3: '(' was never closed "
        "in 'x = soft(1'.",
    }
    assert packager.s3.keys("models") == set()


@pytest.mark.parametrize(
    ("handler", "model", "reason"),
    [
        ("class A: ...\nclass B: ...", "class Net: ...", "InvalidHandler"),
        ("class A: ...", "class Net(:", "InvalidModelFile"),
        ("class A(BaseHandler): ...", "class Net: ...\nclass Block: ...", "InvalidModelFile"),
        ("class A(BaseHandler):\n  def initialize(self, c): ...", "class N: ...\nclass B: ...", ""),
    ],
)
def test_what_torchserve_could_not_load_is_refused(
    packager: Packager, handler: str, model: str, reason: str
) -> None:
    (packager.source / "handler.py").write_text(handler)
    (packager.source / "net.py").write_text(model)
    assert packager.run() == (65 if reason else 0)
    assert packager.word["reason"] == (reason or "Packaged")


def test_a_model_file_of_two_classes_does_not_do_for_torchserves_own_handlers(
    packager: Packager,
) -> None:
    (packager.source / "net.py").write_text("class Block: ...\nclass Net: ...")
    assert packager.run(handler="image_classifier") == 65
    assert "defines 2 (Block, Net)" in packager.word["message"]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "x\0y"])
@pytest.mark.parametrize("field", ["serializedFile", "modelFile", "extraFiles"])
def test_a_path_that_leads_outside_is_refused(packager: Packager, field: str, path: str) -> None:
    assert packager.run(**{field: [path] if field == "extraFiles" else path}) == 65
    assert packager.word["reason"] == "InvalidPackage"
    assert "relative path without '..'" in packager.word["message"]


def test_a_link_in_the_source_that_leads_outside_is_no_file(packager: Packager) -> None:
    (packager.source / "secret.py").symlink_to("/etc/passwd")
    assert packager.run(modelFile="secret.py") == 65
    assert packager.word["reason"] == "FileNotFound"


def test_two_files_of_one_name_are_refused(packager: Packager) -> None:
    for folder in ("a", "b"):
        (packager.source / folder).mkdir()
        (packager.source / folder / "same.txt").write_text(folder)
    assert packager.run(extraFiles=["a/same.txt", "b/same.txt"]) == 65
    assert (packager.word["reason"], "same.txt" in packager.word["message"]) == (
        "InvalidPackage",
        True,
    )


def test_an_output_that_was_changed_in_the_store_is_refused(packager: Packager) -> None:
    (packager.s3.bucket / "outputs/ns/net/uid/model.pt").write_text("tampered")
    assert packager.run() == 65
    assert packager.word["reason"] == "OutputCorrupt"


def test_an_output_that_is_not_complete_is_refused(packager: Packager) -> None:
    (packager.s3.bucket / "outputs/ns/net/uid/_manifest.json").unlink()
    assert packager.run() == 65
    assert packager.word["reason"] == "OutputNotFound"


def test_a_broken_manifest_is_refused(packager: Packager) -> None:
    (packager.s3.bucket / "outputs/ns/net/uid/_manifest.json").write_text("{")
    assert packager.run() == 65
    assert "_manifest.json is broken" in packager.word["message"]


def test_a_package_without_a_field_that_it_needs_is_told(packager: Packager) -> None:
    assert packager.run(serializedFile=None) == 65
    assert packager.word["message"] == "The package has no serializedFile: name it in spec.package."


def test_a_missing_variable_is_named(termination_log: Path) -> None:
    assert package.main({}) == 65
    assert "SLIPWAY_OUTPUT_URI" in json.loads(termination_log.read_text())["message"]


def test_a_store_that_is_down_is_worth_another_try(packager: Packager) -> None:
    packager.s3.stop()
    assert packager.run() == 75
    assert packager.word["reason"] == "StoreUnavailable"


def test_wrong_credentials_are_told_as_such(
    packager: Packager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    S3FileSystem.clear_instance_cache()
    assert packager.run() == 1
    assert packager.word["reason"] == "AccessDenied"


def test_a_full_disk_is_told_as_such(packager: Packager, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mar, "build", full)
    assert packager.run() == 1
    assert packager.word["reason"] == "DiskFull"


def test_sigterm_is_worth_another_try(
    packager: Packager, capfd: pytest.CaptureFixture[str]
) -> None:
    packager.s3.stop()
    command = [sys.executable, "-m", "slipway_pods.package.package"]
    process = subprocess.Popen(command, env=packager.env(SPEC), text=True)
    told: list[str] = []

    def waits() -> bool:
        told.append(capfd.readouterr().err)
        return "Another try follows" in "".join(told)

    wait_for(waits, 60, "the packager waits for the store")
    assert stop(process) == 75
    assert packager.word["reason"] == "Interrupted"


def test_a_folder_of_extra_files_may_end_in_a_slash(packager: Packager) -> None:
    (packager.source / "assets").mkdir()
    (packager.source / "assets" / "labels.txt").write_text("a")
    packager.store()
    assert packager.run(extraFiles=["assets/"]) == 0


def test_a_package_that_there_is_no_room_for_is_not_made(
    packager: Packager, monkeypatch: pytest.MonkeyPatch
) -> None:
    packager.store()
    monkeypatch.setattr(room, "free", lambda _: 3)
    assert packager.run() == 1
    assert packager.word["reason"] == "DiskFull"
