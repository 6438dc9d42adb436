"""What `slipway.export` takes; that it exports is tested where torch is (tests/image)."""

from pathlib import Path

import pytest

import slipway_runtime as slipway
from slipway_runtime import exporting
from slipway_runtime.exporting.compiling import CHECKED


@pytest.mark.parametrize(
    ("path", "format_", "found"),
    [
        (None, None, ("pt2", "model.pt2")),
        (None, "onnx", ("onnx", "model.onnx")),
        ("a/net.onnx", None, ("onnx", "a/net.onnx")),
        (Path("net.pt2"), "pt2", ("pt2", "net.pt2")),
        (None, "aoti", ("aoti", "model.pt2")),
        ("net.pt2", "aoti", ("aoti", "net.pt2")),
    ],
)
def test_the_format_follows_from_the_files_name(
    path: str | None, format_: str | None, found: tuple[str, str]
) -> None:
    assert exporting._kind(path, format_) == found


@pytest.mark.parametrize(
    ("path", "format_"),
    [("net.pt", None), ("net.pt2", "onnx"), (None, "h5"), ("net", None), ("net.aoti", "aoti")],
)
def test_another_format_is_refused_with_what_to_write(
    path: str | None, format_: str | None
) -> None:
    with pytest.raises(ValueError, match=r'name the file so, or write format="pt2"'):
        slipway.export(object(), object(), path, format=format_)


def test_outside_slipway_and_by_other_ranks_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPWAY_OUTPUT_DIR", raising=False)
    assert slipway.export(object(), object()) is None
    monkeypatch.setenv("RANK", "1")
    assert slipway.export(object(), object(), folder=tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_the_image_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RuntimeError, match=r"no g\+\+: install it in the image that trains"):
        slipway.export(object(), object(), format="aoti", folder=tmp_path)
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(RuntimeError, match="no /no/such/compiler"):
        slipway.export(object(), object(), format="aoti", folder=tmp_path)


def test_packages_that_the_image_lacks_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "NEEDED", {"onnx": ("json", "no_such_package")})
    with pytest.raises(ModuleNotFoundError, match="pip install no_such_package"):
        slipway.export(object(), object(), format="onnx", folder=tmp_path)


@pytest.mark.parametrize(
    ("condition", "is_checked"),
    [
        ("L['a'].size()[0] == L['b'].size()[0]", True),
        ("L['t'].size()[1] <= 16", True),
        ("L['flat_args'][0].size()[1] > 5", True),
        ("2*L['a'].size()[1] == L['b'].size()[0]", False),
        ("(L['a'].size()[1] % 2) == 0", False),
        ("L['a'].size()[1] != 7", False),
    ],
)
def test_only_what_follows_from_lengths_and_bounds_is_compared_before_machine_code_is_asked(
    condition: str, is_checked: bool
) -> None:
    assert bool(CHECKED.fullmatch(condition)) == is_checked
