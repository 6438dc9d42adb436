"""Names, types and shapes from rows, whatever library they are of; none is imported.

The numbers' types are those that torch gives to Python's own: float32 and int64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"),
    *("bool", "string"),
)
"""As `slipway_handlers.signature` has them."""
MAX_ROWS = 100_000
"""Most rows of a column that its type is inferred from."""
MAX_INFERRED = 64
"""Most categories that are inferred: more texts are texts. No more than half as many as rows."""
MAX_TENSORS = 4096
MAX_VALUES = 65_536
"""Most inputs, or outputs, and most labels or categories of one, as the handlers read them."""
MAX_SIDES = 16
MAX_TEXT = 1024
_TOLD = frozenset(("dtype", "shape", "categories", "default", "missing", "labels"))


def tensors(rows: Any, name: str) -> list[dict[str, Any]]:
    """Return the inputs or outputs that rows have; ``name`` is that of what has none of its own.

    Raises ValueError for rows of which none can be told.
    """
    columns = _columns(rows)
    if columns is None:
        columns = {name: rows}
    if not columns:
        raise ValueError(f"The signature's {name}s have no columns.")
    if len(columns) > MAX_TENSORS:
        raise ValueError(
            f"The signature has {len(columns)} {name}s, and {MAX_TENSORS} are the most: give "
            "numbers as one array, with a row for each row."
        )
    names = [_text(each, "a column's name") for each in columns]
    if len(set(names)) != len(names):
        raise ValueError(f"Two of the signature's {name}s have one name.")
    return [_tensor(key, column) for key, column in zip(names, columns.values())]


def texts(values: Any, what: str) -> list[str]:
    """Return texts that can be shown, each once; raises ValueError."""
    found = [_text(value, what) for value in _listed(values, what)]
    if len(set(found)) != len(found):
        raise ValueError(f"The signature's {what} have a value twice.")
    return found


def _listed(values: Any, what: str) -> list[Any]:
    """Return the values of a list, a tuple or an array of one side."""
    found = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(found, (list, tuple)):
        raise ValueError(f"The signature's {what} are no list.")
    if len(found) > MAX_VALUES:
        raise ValueError(f"The signature's {what} are more than {MAX_VALUES}: name fewer.")
    return list(found)


def _text(value: Any, what: str) -> str:
    text = str(value) if isinstance(value, (str, int)) else ""
    if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
        raise ValueError(
            f"{what} of the signature is no text of 1 to {MAX_TEXT} printable characters."
        )
    return text


def _columns(rows: Any) -> dict[Any, Any] | None:
    """Return the columns of a data frame, of a mapping or of rows by name; None where none is."""
    if isinstance(rows, Mapping):
        return dict(rows)
    if hasattr(rows, "columns") and hasattr(rows, "to_dict"):
        return {column: rows[column] for column in rows.columns}
    if not isinstance(rows, Sequence) or isinstance(rows, (str, bytes)) or not rows:
        return None
    if not all(isinstance(row, Mapping) for row in rows):
        return None
    names = dict.fromkeys(itertools.chain.from_iterable(rows))
    return {name: [row.get(name) for row in rows[:MAX_ROWS]] for name in names}


def _tensor(name: str, column: Any) -> dict[str, Any]:
    if isinstance(column, Mapping):
        return {"name": name, **_told(name, column)}
    dtype = _dtype(getattr(column, "dtype", None))
    if dtype is None or dtype == "string":
        values = column.tolist() if hasattr(column, "tolist") else column
        return {"name": name, **_inferred(name, values)}
    shape = [int(side) for side in column.shape]
    if not 0 < len(shape) <= MAX_SIDES:
        raise ValueError(
            f"The signature's {name} has {len(shape)} sides: give rows, 1 to {MAX_SIDES}."
        )
    missing = {"missing": True} if "float" in dtype and _has_nan(column) else {}
    shape = [-1, *(side or -1 for side in shape[1:])]
    return {"name": name, "dtype": dtype, "shape": shape, **missing}


def _has_nan(column: Any) -> bool:
    """Tell whether an array has numbers that are none, and so differ from themselves."""
    differs = column != column
    return bool(differs.any()) if hasattr(differs, "any") else False


def _dtype(dtype: Any) -> str | None:
    """Return the name of an array's type; None where its values have to be looked at."""
    if dtype is None:
        return None
    text = str(dtype).rpartition(".")[2].lower()
    if text in DTYPES:
        return text
    if text in ("object", "category", "str", "large_string") or text.startswith(("<u", "|s")):
        return "string"
    raise ValueError(
        f"The signature knows no values of the type {dtype}: write one of {', '.join(DTYPES)}."
    )


def _told(name: str, given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what is told of an input; what it must not say is refused where it is written."""
    if not set(given) <= _TOLD or given.get("dtype") not in DTYPES:
        raise ValueError(
            f"The signature's {name}: give rows, or a dtype ({', '.join(DTYPES)}), and shape, "
            "categories, default, missing or labels."
        )
    shape = given.get("shape", [-1])
    if not _is_shape(shape):
        raise ValueError(f"The signature's {name} has no shape: write [-1, 4], -1 for any length.")
    found = {**given, "shape": list(shape)}
    if found.get("categories") is not None:
        found["categories"] = _categories(found["categories"], name, found["dtype"])
    if found.get("labels") is not None:
        found["labels"] = texts(found["labels"], f"labels of {name}")
    default = found.get("default")
    if default is not None and not _fits(default, found["dtype"], found.get("categories")):
        raise ValueError(f"The signature's {name} has a default that is none of its values.")
    missing = found.get("missing")
    if missing is not None and missing is not False and not _may_miss(found):
        raise ValueError(f"The signature's {name} is missing, as only floats and texts may be.")
    return found


def _may_miss(found: Mapping[str, Any]) -> bool:
    return found["missing"] is True and (found["dtype"] == "string" or "float" in found["dtype"])


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, (list, tuple)) or not 0 < len(shape) <= MAX_SIDES:
        return False
    return all(type(side) is int and (side == -1 or 0 < side < 2**31) for side in shape)


def _fits(value: Any, dtype: str, categories: Any) -> bool:
    """Tell whether a value is one of a type, and one of its categories if it has any."""
    if categories is not None and value not in categories:
        return False
    if dtype == "string":
        return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
    if dtype == "bool":
        return isinstance(value, bool)
    if dtype.startswith(("int", "uint")):
        return type(value) is int and abs(value) < 2**63
    return type(value) in (int, float) and abs(value) < 2**63


def _categories(values: Any, name: str, dtype: str) -> list[Any]:
    found = _listed(values, f"categories of {name}")
    whole = dtype.startswith(("int", "uint"))
    if whole and found and all(type(value) is int and abs(value) < 2**63 for value in found):
        return sorted(set(found))
    if dtype != "string" or not found or not all(isinstance(value, str) for value in found):
        raise ValueError(
            f"The signature's categories of {name} are none: give texts of a string, or whole "
            "numbers of a whole type."
        )
    return texts(found, f"categories of {name}")


def _inferred(name: str, values: Any) -> dict[str, Any]:
    """Return the type and the shape of a column of Python's own values."""
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)) or not values:
        raise ValueError(f"The signature's {name} has no rows to tell its type from.")
    rows = list(values[:MAX_ROWS])
    shape, flat = [-1, *_sides(rows, name)], list(_flat(rows))
    known = [value for value in flat if not _is_missing(value)]
    if not known:
        raise ValueError(f"The signature's {name} has nothing but missing values.")
    is_whole_column = len(known) == len(flat)
    missing = {} if is_whole_column else {"missing": True}
    if all(isinstance(value, str) for value in known):
        return {"dtype": "string", "shape": shape, **_seen(known), **missing}
    if is_whole_column and all(isinstance(value, bool) for value in known):
        return {"dtype": "bool", "shape": shape}
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in known):
        raise ValueError(
            f"The signature's {name} holds other things than numbers, texts and truths."
        )
    is_whole = is_whole_column and all(isinstance(value, int) for value in known)
    return {"dtype": "int64" if is_whole else "float32", "shape": shape, **missing}


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _seen(texts: Sequence[str]) -> dict[str, Any]:
    """Return the categories of a column of texts, if they are few for its rows and can be shown."""
    found = sorted(set(texts))
    few = len(found) <= MAX_INFERRED and 2 * len(found) <= len(texts)
    if not few or not all(0 < len(text) <= MAX_TEXT and text.isprintable() for text in found):
        return {}
    return {"categories": found}


def _sides(rows: Sequence[Any], name: str, depth: int = 1) -> list[int]:
    """Return the sides of nested rows after the first; one that differs between rows is -1."""
    if depth > MAX_SIDES:
        raise ValueError(f"The signature's {name} has more than {MAX_SIDES} sides.")
    nested = [isinstance(row, (list, tuple)) for row in rows]
    if not any(nested):
        return []
    if not all(nested):
        raise ValueError(f"The signature's {name} has rows of one value and rows of several.")
    lengths = {len(row) for row in rows}
    inner = list(itertools.islice(itertools.chain.from_iterable(rows), MAX_ROWS))
    side = lengths.pop() if len(lengths) == 1 else -1
    return [side or -1, *_sides(inner, name, depth + 1)]


def _flat(rows: Iterable[Any]) -> Iterable[Any]:
    for row in rows:
        if isinstance(row, (list, tuple)):
            yield from _flat(row)
        else:
            yield row
