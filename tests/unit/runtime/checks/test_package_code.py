"""What of a package is in the source is checked before the training that it would cost."""

import json
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.checks import package_code
from slipway_runtime.checks.package_code import PackageError, check_source
from slipway_runtime.launcher.launch import check_package
from slipway_runtime.launcher.run_settings import LaunchError

HANDLER = "class Handler:\n    def handle(self, data, context):\n        return data\n"
MODEL = "class Net: ...\n"
UNCLOSED = "x = (1\n"


def folder_of(folder: Path, **files: str) -> Path:
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "package", "reason"),
    [
        ({"handler": UNCLOSED}, {}, "InvalidHandler"),
        ({"handler": "x = 1\n"}, {}, "InvalidHandler"),
        ({"handler": HANDLER}, {"handler": "handler.py:answer"}, "InvalidHandler"),
        ({"handler": HANDLER, "net": UNCLOSED}, {"modelFile": "net.py"}, "InvalidModelFile"),
        ({"net": UNCLOSED}, {"modelFile": "net.py"}, "InvalidModelFile"),
        ({"net": "x = 1"}, {"handler": "tensor", "modelFile": "net.py"}, "InvalidModelFile"),
        ({"handler": HANDLER, "more": UNCLOSED}, {"extraFiles": ["more.py"]}, "InvalidExtraFile"),
        ({"handler": HANDLER, "judge": UNCLOSED}, {"evaluate": "judge.py"}, "InvalidEvaluate"),
        ({"handler": HANDLER, "judge": "x = 1"}, {"evaluate": "judge.py:f"}, "InvalidEvaluate"),
    ],
)
def test_code_that_cannot_be_served_is_refused(
    tmp_path: Path, files: dict[str, str], package: dict[str, Any], reason: str
) -> None:
    whole = {"handler": "handler.py", **package}
    with pytest.raises(PackageError) as raised:
        check_source(whole, folder_of(tmp_path, **files))
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("files", "package"),
    [
        ({"handler": HANDLER, "net": MODEL}, {"modelFile": "net.py"}),
        ({}, {"modelFile": "net.py"}),
        ({"net": "x = 1\n"}, {"modelFile": "net.py"}),
        ({"other": UNCLOSED}, {"extraFiles": ["data.json"]}),
        ({}, {"handler": "image_classifier"}),
        ({"net": MODEL}, {"handler": "tensor", "modelFile": "net.py"}),
        ({}, {"handler": "../handler.py"}),
    ],
)
def test_what_may_be_right_or_is_not_there_yet_is_left_to_the_packaging(
    tmp_path: Path, files: dict[str, str], package: dict[str, Any]
) -> None:
    check_source({"handler": "handler.py", **package}, folder_of(tmp_path, **files))


def test_a_link_that_leads_out_of_the_source_is_not_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_text("the secret (")
    (source / "handler.py").symlink_to(tmp_path / "secret")
    check_source({"handler": "handler.py"}, source)


def test_a_python_older_than_the_servers_does_not_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_code, "SERVER_PYTHON", (99, 0))
    check_source({"handler": "handler.py"}, folder_of(tmp_path, handler=UNCLOSED))


def test_the_launcher_says_where_the_handler_is_wrong(tmp_path: Path) -> None:
    env = {"SLIPWAY_PACKAGE_CODE": json.dumps({"handler": "handler.py"})}
    with pytest.raises(LaunchError, match=r"line 1: .* in 'x = \(1'") as raised:
        check_package(env, folder_of(tmp_path, handler=UNCLOSED))
    assert raised.value.reason == "InvalidHandler"


def test_the_launcher_checks_nothing_where_no_package_is_asked_for(tmp_path: Path) -> None:
    check_package({}, folder_of(tmp_path, handler=UNCLOSED))
    check_package({"SLIPWAY_PACKAGE_CODE": json.dumps({"handler": "handler.py"})}, None)
