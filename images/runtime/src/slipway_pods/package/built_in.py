"""The release's own handlers: what ``package.handler`` calls them, and what they are made of."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import slipway_handlers
from slipway_handlers import signature
from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.settings import (
    ClassSettings,
    ImageSettings,
    SettingsError,
    TensorSettings,
    TextSettings,
    TokenSettings,
)
from slipway_handlers.signature import Signature, SignatureError, Tensor
from slipway_handlers.tables import declared
from slipway_runtime.checks.package_code import PackageError

FOLDER = Path(slipway_handlers.__file__).parent
SKLEARN = "sklearn"
"""The handler whose serialized file is a pickle."""
TOKENIZERS = ("tokenizer.py", "vocab.txt")
"""Files one of which a text's handler needs at the archive's first level."""


@dataclass(frozen=True)
class BuiltIn:
    """A handler's file and the modules that it imports, all of `FOLDER`.

    ``settings`` raises SettingsError for what ``package.config.handler`` must not say, and one of
    ``needs`` must be an extra file.
    """

    file: str
    modules: tuple[str, ...]
    settings: Callable[[Any, Signature], object]
    needs: tuple[str, ...] = ()


def _of(read: Callable[[Any], object]) -> Callable[[Any, Signature], object]:
    """Return a reader of settings that need nothing more of the signature."""
    return lambda settings, _: read(settings)


def _tensor_settings(settings: Any, told: Signature) -> object:
    for each in told.inputs[1:]:
        TensorSettings.read({}, each)
    return TensorSettings.read(settings, next(iter(told.inputs), None))


def _table_settings(
    check: Callable[[Sequence[Tensor]], None],
) -> Callable[[Any, Signature], object]:
    """Return a reader of settings of a handler whose inputs are columns."""

    def read(settings: Any, told: Signature) -> object:
        check(told.inputs)
        return ClassSettings.read(settings)

    return read


COMMON = ("__init__.py", "requests.py", "settings.py", "signature.py")
PROGRAM = ".pt2"
"""The end of the name of a program of torch.export, compiled or not."""
CODE = (PROGRAM, ".so")
"""Ends of the names of models that are code: a program, and a library that TorchServe loads."""
EXPORTED = (PROGRAM, ".onnx")
"""Ends of the names of models that hold their own program."""
FORMATS = tuple(
    f"formats/{name}.py"
    for name in ("__init__", "code", "compiled", "inputs", "model", "onnx", "safetensors")
)
CLASSES = (*COMMON, "classes.py", "texts.py")
TABLES = (
    *(*CLASSES, "tensors.py"),
    *(f"tables/{name}.py" for name in ("__init__", "answers", "columns", "declared")),
)
SEQUENCES = tuple(f"sequences/{name}.py" for name in ("__init__", "letters", "settings"))
HANDLERS: Mapping[str, BuiltIn] = {
    "image-classification": BuiltIn(
        "image_classification.py",
        (*COMMON, *FORMATS, "classes.py", "images.py"),
        _of(ImageSettings.read),
    ),
    "sequence": BuiltIn(
        "sequences/sequence.py", (*CLASSES, *FORMATS, *SEQUENCES), _of(SequenceSettings.read)
    ),
    SKLEARN: BuiltIn(
        "tables/sklearn.py",
        (*TABLES, *FORMATS[:2], "tables/estimators.py"),
        _table_settings(declared.check_rows),
    ),
    "tabular": BuiltIn(
        "tables/tabular.py",
        (*TABLES, *FORMATS, "tables/features.py"),
        _table_settings(declared.check_features),
    ),
    "tensor": BuiltIn(
        "tensor.py",
        (*COMMON, *FORMATS, "tensors.py", "named/__init__.py", "named/rows.py"),
        _tensor_settings,
    ),
    "text-classification": BuiltIn(
        "text_classification.py",
        (*CLASSES, *FORMATS),
        _of(TextSettings.read),
        TOKENIZERS,
    ),
    "token-classification": BuiltIn(
        "tokens/token_classification.py",
        (*CLASSES, *FORMATS, "tokens/__init__.py", "tokens/spans.py"),
        _of(TokenSettings.read),
        TOKENIZERS,
    ),
}
"""All of them by the name in ``package.handler``, none of which is one of TorchServe's own."""


def bring(name: str, files: Path, extra: Path) -> Path:
    """Copy a handler to ``files`` and its modules to ``extra``; returns the handler's file.

    At the archive's first level its name tells it from the user's own files.
    """
    handler, package = HANDLERS[name], extra / FOLDER.name
    files.mkdir(parents=True, exist_ok=True)
    for module in handler.modules:
        (package / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FOLDER / module, package / module)
    target = files / f"slipway_{Path(handler.file).name}"
    shutil.copyfile(FOLDER / handler.file, target)
    return target


def check(name: str, config: Mapping[str, Any], extra: Path | None) -> None:
    """Raise PackageError where a handler could not begin with these settings and extra files."""
    handler = HANDLERS[name]
    try:
        told = signature.load(extra) if extra else Signature()
        handler.settings(signature.settings(told, config.get("handler")), told)
    except SignatureError as error:
        raise PackageError("InvalidPackage", f"The output's {error}.") from error
    except SettingsError as error:
        raise PackageError("InvalidPackage", f"package.{error}.") from error
    if handler.needs and not any(extra and (extra / each).is_file() for each in handler.needs):
        raise PackageError(
            "InvalidPackage",
            f"package.handler {name!r} needs {' or '.join(handler.needs)} at the archive's first "
            "level: name it in package.extraFiles.",
        )


def code(package: Mapping[str, Any], suffix: str | None = None) -> list[str]:
    """Return the package's files that run as code when they are loaded, and are no Python files.

    ``suffix`` is the end of the model's name where the archive has another form of it than the
    package names.
    """
    named = PurePosixPath(package["serializedFile"])
    packaged = named if suffix is None else named.with_suffix(suffix)
    is_code = packaged.name.endswith(CODE) or package["handler"] == SKLEARN
    return [str(packaged)] if is_code else []
