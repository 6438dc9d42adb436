"""Rows with named columns, as JSON or CSV, read by the columns that a signature declares.

A body is a list of rows by name, ``[{"age": 31, "colour": "red"}]``; or ``{"instances": ROWS}``,
which is answered by ``{"predictions": ...}``; or columns, ``{"age": [31], "colour": ["red"]}``; or
CSV (RFC 4180) with a line of names, where an empty cell is a value that is missing.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from slipway_handlers.requests import BadInputError, as_json
from slipway_handlers.signature import Tensor
from slipway_handlers.texts import MARK

INSTANCES = "instances"
HOW = 'send rows by name as JSON: [{"column": 1}], {"instances": [...]}, {"column": [1]}, or CSV'
MAX_CELL = 65_536
"""Longest text of a value, in characters."""
MAX_ROWS = 100_000
"""Most rows of a request: two bytes of a body may be one, and its answer some hundred."""
MAX_VALUES = 1 << 24
"""Most values of a request, those that are missing too, which take no byte of its body."""
TRUTHS = {"true": True, "false": False, "1": True, "0": False}

Value = str | float | bool | None


@dataclass(frozen=True)
class Table:
    """The rows of one request: a list of ``rows`` values for each declared column, by its name.

    A value that is missing, and has no default, is None. ``wrapped`` in ``instances`` or not.
    """

    values: Mapping[str, list[Value]]
    rows: int
    wrapped: bool = False


def read(found: Any, columns: Sequence[Tensor]) -> Table:
    """Return the rows of a body; raises BadInputError, which names the column and the row."""
    if isinstance(found, str | bytes | bytearray):
        text = _text(found)
        if text.lstrip()[:1] not in ("[", "{"):
            return _table(_from_csv(text), columns, is_text=True)
        found = as_json(text)
    if isinstance(found, dict) and isinstance(found.get(INSTANCES), list):
        given = _by_column(found[INSTANCES], columns)
        table = _table(given, columns)
        return Table(table.values, table.rows, wrapped=True)
    if isinstance(found, dict):
        return _table(found, columns)
    return _table(_by_column(found, columns), columns)


def _text(found: str | bytes | bytearray) -> str:
    try:
        text = found if isinstance(found, str) else found.decode()
    except UnicodeDecodeError as error:
        raise BadInputError("its text is not UTF-8") from error
    return text.removeprefix(MARK)


def check_rows(count: int) -> None:
    """Raise BadInputError for more rows than a request may have."""
    if count > MAX_ROWS:
        raise BadInputError(f"it has more than {MAX_ROWS} rows: send them in several requests")


def _check_names(names: Iterable[str], columns: Sequence[Tensor]) -> None:
    unknown = sorted(set(names) - {column.name for column in columns})
    if unknown:
        known = ", ".join(column.name for column in columns)
        shown = ascii(unknown[0])[1:-1]
        raise BadInputError(f"there is no column {shown:.100}, but {known:.500}")


def _from_csv(text: str) -> dict[str, list[Any]]:
    try:
        given = filter(None, csv.reader(io.StringIO(text, newline=""), strict=True))
        lines = list(islice(given, MAX_ROWS + 2))
    except csv.Error as error:
        raise BadInputError(f"it is no CSV: {error}") from error
    if len(lines) < 2:
        raise BadInputError(HOW)
    names, *rows = lines
    check_rows(len(rows))
    if len(set(names)) != len(names):
        raise BadInputError("its first line names a column twice")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise BadInputError(f"row {number} has {len(row)} values, and {len(names)} columns")
    return {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


def _by_column(rows: Any, columns: Sequence[Tensor]) -> dict[str, list[Any]]:
    """Return rows of JSON as columns; what a row does not name is missing.

    Names are looked at first: each of them has a value for each row then.
    """
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadInputError(HOW)
    check_rows(len(rows))
    names = dict.fromkeys(name for row in rows for name in row)
    _check_names(names, columns)
    _check_values(len(rows), columns)
    return {name: [row.get(name) for row in rows] for name in names}


def _table(given: Mapping[str, Any], columns: Sequence[Tensor], *, is_text: bool = False) -> Table:
    _check_names(given, columns)
    if not given or not all(isinstance(values, list) for values in given.values()):
        raise BadInputError(HOW)
    lengths = {len(values) for values in given.values()}
    if len(lengths) != 1 or not max(lengths):
        raise BadInputError("its columns are not of one length, at least one row")
    rows = lengths.pop()
    check_rows(rows)
    _check_values(rows, columns)
    made = {}
    for column in columns:
        values = given.get(column.name, [None] * rows)
        made[column.name] = list(_values(column, values, is_text))
    return Table(made, rows)


def _check_values(rows: int, columns: Sequence[Tensor]) -> None:
    if rows * len(columns) > MAX_VALUES:
        raise BadInputError(
            f"its {rows} rows have more than {MAX_VALUES} values: send them in several requests"
        )


def _values(column: Tensor, values: Sequence[Any], is_text: bool) -> Iterator[Value]:
    categories = None if column.categories is None else frozenset(column.categories)
    for row, value in enumerate(values):
        found = _parsed(column.dtype, value) if is_text and isinstance(value, str) else value
        if found is None:
            if column.default is None and not column.missing:
                raise BadInputError(f"{column.name} of row {row} is missing")
            yield column.default
        elif not _fits(found, column, categories):
            told = f"{_shown(value)}, and not {right(column)}"
            raise BadInputError(f"{column.name} of row {row} is {told}")
        else:
            yield found


def _shown(value: Any) -> str:
    """Return a value as messages show it; a list or an object, however deep it is, by its kind."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return ascii(value)[:60]


def right(column: Tensor) -> str:
    """Return what a column's values are, as the end of a sentence."""
    if column.categories is not None:
        return f"one of {', '.join(map(str, column.categories)):.300}"
    kinds = {"string": "a text", "bool": "true or false"}
    whole = column.dtype.startswith(("int", "uint"))
    return kinds.get(column.dtype, f"a {'whole ' if whole else ''}number of {column.dtype}")


def _parsed(dtype: str, cell: str) -> Any:
    """Return what a cell of CSV says, or the cell itself where it is nothing of the type."""
    if cell == "":
        return None
    if dtype == "string":
        return cell
    if dtype == "bool":
        return TRUTHS.get(cell.strip().lower(), cell)
    if "_" in cell or len(cell) > 400:
        return cell
    try:
        return int(cell) if dtype.startswith(("int", "uint")) else float(cell)
    except ValueError:
        return cell


def _fits(value: Any, column: Tensor, categories: frozenset[str | int] | None) -> bool:
    if categories is not None:
        return type(value) in (str, int) and value in categories
    if column.dtype == "string":
        return isinstance(value, str) and len(value) <= MAX_CELL
    if column.dtype == "bool":
        return isinstance(value, bool)
    if column.dtype.startswith(("int", "uint")):
        bounds = np.iinfo(column.dtype)
        return type(value) is int and bounds.min <= value <= bounds.max
    return _is_float(value, column.dtype)


def _is_float(value: Any, dtype: str) -> bool:
    """Tell whether a value is a finite number of a type; bfloat16 has float32's range."""
    if type(value) not in (int, float):
        return False
    largest = float(np.finfo("float32" if dtype == "bfloat16" else dtype).max)
    return -largest <= value <= largest and (type(value) is int or math.isfinite(value))
