"""What a model takes and answers, in `signature.json` at the archive's first level.

Format, version 1::

    {"slipwaySignature": 1,
     "inputs": [{"name": "age", "dtype": "float32", "shape": [-1], "missing": true},
                {"name": "colour", "dtype": "string", "categories": ["blue", "red"]}],
     "outputs": [{"name": "output", "dtype": "float32", "shape": [-1, 2],
                  "labels": ["no", "yes"]}],
     "preprocessing": {"lowercase": true},
     "sample": {"contentType": "application/json", "body": [{"age": 31, "colour": "red"}]}}

The first side of a shape is the number of rows, and -1 stands for a side of any length. The file is
written by `slipway_runtime.signature`, in a user's image, or by a user: it is parsed strictly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "signature.json"
MAX_BYTES = 1_048_576
MAX_TENSORS = 4096
"""Most inputs, or outputs: a table has one for each column."""
MAX_VALUES = 65_536
"""Most categories of an input, and most labels of an output."""
MAX_TEXT = 1024
"""Longest name, category or label, in characters."""
MAX_SIDES = 16
DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"),
    *("bool", "string"),
)
"""Types of values, as NumPy and torch name them."""
JSON_TYPE = "application/json"


class SignatureError(ValueError):
    """The file is no signature; the text names the field, and says what to write."""


@dataclass(frozen=True)
class Tensor:
    """One input or output: its name, its values' type, and its shape, the number of rows first.

    ``categories`` are all values that an input may have, or None for any. A value may be missing
    where that is said, and where a ``default`` takes its place, None for none. ``labels`` are the
    names of an output's classes, by number.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = (-1,)
    categories: tuple[str | int, ...] | None = None
    default: str | float | None = None
    missing: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """A request that the model answers: ``body`` is JSON's value, or a text of another type."""

    content_type: str
    body: Any


@dataclass(frozen=True)
class Signature:
    """All that is said; an archive without the file has an empty one."""

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    sample: Sample | None = None

    @property
    def labels(self) -> dict[str, str] | None:
        """Names of classes by number, as index_to_name.json has them; None where none are said."""
        named = next((each.labels for each in self.outputs if each.labels), ())
        return {str(number): name for number, name in enumerate(named)} or None


def settings(signature: Signature, given: Any) -> Any:
    """Return a handler's settings: what its archive's model-config.yaml says, then the signature.

    What is no mapping is returned as it is, for `settings.Given` to refuse.
    """
    if not isinstance(given, Mapping | None):
        return given
    return {**signature.preprocessing, **(given or {})}


def of_archive(context: Any) -> tuple[Signature, Any]:
    """Return the signature of a handler's archive, and its settings; raises SignatureError."""
    found = load(Path(context.system_properties["model_dir"]))
    return found, settings(found, context.model_yaml_config.get("handler"))


def load(folder: Path) -> Signature:
    """Return the signature of an unpacked archive; raises SignatureError or OSError."""
    path = folder / FILE_NAME
    if not path.is_file():
        return Signature()
    with path.open("rb") as file:
        return parse(file.read(MAX_BYTES + 1))


def parse(text: bytes) -> Signature:
    """Return what the file's text says; raises SignatureError."""
    if len(text) > MAX_BYTES:
        raise SignatureError(f"{FILE_NAME} is longer than {MAX_BYTES} bytes")
    try:
        content = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except SignatureError:
        raise
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"{FILE_NAME} is no JSON: {error}") from error
    fields = _fields(
        content, "it", "slipwaySignature", "inputs", "outputs", "preprocessing", "sample"
    )
    if fields["slipwaySignature"] != 1 or isinstance(fields["slipwaySignature"], bool):
        raise _wrong("slipwaySignature", "1, the version of the format")
    preprocessing = fields["preprocessing"] if fields["preprocessing"] is not None else {}
    if not isinstance(preprocessing, dict):
        raise _wrong("preprocessing", "settings by their names")
    return Signature(
        _tensors(fields["inputs"], "inputs"),
        _tensors(fields["outputs"], "outputs"),
        preprocessing,
        None if fields["sample"] is None else _sample(fields["sample"]),
    )


def _wrong(what: str, right: str) -> SignatureError:
    return SignatureError(f"{FILE_NAME}: {what}: write {right}")


def _refuse_constant(name: str) -> None:
    raise SignatureError(f"{FILE_NAME} has {name}, which is no number of JSON")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise SignatureError(f"{FILE_NAME} has an object with two fields of one name")
    return made


def _fields(value: Any, what: str, *names: str) -> dict[str, Any]:
    """Return all named fields of an object, None for those that are not there."""
    if not isinstance(value, dict):
        raise _wrong(what, "an object")
    unknown = sorted(set(value) - set(names))
    if unknown:
        raise SignatureError(f"{FILE_NAME}: {what} has no field {unknown[0]:.100}")
    return {name: value.get(name) for name in names}


def _tensors(value: Any, what: str) -> tuple[Tensor, ...]:
    given = [] if value is None else value
    if not isinstance(given, list) or len(given) > MAX_TENSORS:
        raise _wrong(what, f"a list of {MAX_TENSORS} at most")
    made = tuple(_tensor(each, f"{what}[{number}]") for number, each in enumerate(given))
    if len({each.name for each in made}) != len(made):
        raise _wrong(what, "each name once")
    return made


def _tensor(value: Any, what: str) -> Tensor:
    names = ("name", "dtype", "shape", "categories", "default", "missing", "labels")
    fields = _fields(value, what, *names)
    if not is_text(fields["name"]):
        raise _wrong(f"{what}.name", f"a text of 1 to {MAX_TEXT} characters that can be shown")
    if fields["dtype"] not in DTYPES:
        raise _wrong(f"{what}.dtype", f"one of {', '.join(DTYPES)}")
    made = Tensor(
        fields["name"],
        fields["dtype"],
        _shape(fields["shape"], what),
        _categories(fields["categories"], what),
        fields["default"],
        _missing(fields["missing"], fields["dtype"], what),
        _labels(fields["labels"], f"{what}.labels"),
    )
    if made.default is not None and not is_default(made.default, made.dtype):
        raise _wrong(f"{what}.default", f"a value of the type {made.dtype}")
    if made.categories is not None:
        if not _are_of(made.categories, made.dtype):
            raise _wrong(
                f"{what}.categories", "texts of a string, or whole numbers of a whole type"
            )
        if made.default not in (None, *made.categories):
            raise _wrong(f"{what}.default", "one of its categories")
    return made


def _are_of(categories: Sequence[str | int], dtype: str) -> bool:
    if isinstance(categories[0], str):
        return dtype == "string"
    return dtype.startswith(("int", "uint"))


def _missing(value: Any, dtype: str, what: str) -> bool:
    if value not in (None, False, True) or not isinstance(value, bool | None):
        raise _wrong(f"{what}.missing", "true or false")
    if value and dtype != "string" and "float" not in dtype:
        raise _wrong(f"{what}.missing", "false: only numbers with a point and texts may be missing")
    return bool(value)


def _shape(value: Any, what: str) -> tuple[int, ...]:
    given = [-1] if value is None else value
    if (
        not isinstance(given, list)
        or not 0 < len(given) <= MAX_SIDES
        or not all(map(_is_side, given))
    ):
        raise _wrong(
            f"{what}.shape", f"1 to {MAX_SIDES} lengths, -1 for any, the rows' number first"
        )
    return tuple(given)


def _is_side(value: Any) -> bool:
    return type(value) is int and (value == -1 or 0 < value < 2**31)


def _categories(value: Any, what: str) -> tuple[str | int, ...] | None:
    if value is None:
        return None
    kind = str if isinstance(value, list) and value and isinstance(value[0], str) else int
    found = _values(value, f"{what}.categories", kind)
    if not found:
        raise _wrong(f"{what}.categories", "at least one value")
    return tuple(found)


def _labels(value: Any, what: str) -> tuple[str, ...]:
    return () if value is None else tuple(_values(value, what, str))


def _values(value: Any, what: str, kind: type) -> list[Any]:
    """Return a list of different values of one kind: texts that can be shown, or whole numbers."""
    if not isinstance(value, list) or len(value) > MAX_VALUES:
        raise _wrong(what, f"a list of {MAX_VALUES} at most")
    is_right = is_text if kind is str else (lambda each: type(each) is int and abs(each) < 2**63)
    if not all(map(is_right, value)) or len(set(value)) != len(value):
        raise _wrong(what, "different texts, or different whole numbers")
    return value


def is_text(value: Any) -> bool:
    """Tell whether a value is a text that can be shown, and is neither empty nor too long."""
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def is_default(value: Any, dtype: str) -> bool:
    """Tell whether a value is one of a type, as JSON has it."""
    if dtype == "string":
        return is_text(value)
    if dtype == "bool":
        return isinstance(value, bool)
    if dtype.startswith(("int", "uint")):
        return type(value) is int and abs(value) < 2**63
    return type(value) in (int, float) and abs(value) < 2**63 and math.isfinite(value)


def _sample(value: Any) -> Sample:
    fields = _fields(value, "sample", "contentType", "body")
    if not is_text(fields["contentType"]):
        raise _wrong("sample.contentType", f"a media type, such as {JSON_TYPE}")
    is_json = fields["contentType"].split(";")[0].strip().lower() == JSON_TYPE
    if fields["body"] is None or not (is_json or isinstance(fields["body"], str)):
        raise _wrong("sample.body", f"a text, or a value with the contentType {JSON_TYPE}")
    return Sample(fields["contentType"], fields["body"])
