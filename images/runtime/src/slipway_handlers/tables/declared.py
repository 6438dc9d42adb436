"""Which inputs of a signature a handler of tables can do with; nothing here needs a library."""

from __future__ import annotations

from collections.abc import Sequence

from slipway_handlers.settings import TensorSettings
from slipway_handlers.signature import FILE_NAME, SignatureError, Tensor


def check_columns(declared: Sequence[Tensor]) -> None:
    """Raise SignatureError where a signature declares no columns of a table."""
    if not declared:
        raise SignatureError(
            f"{FILE_NAME} names no columns: call slipway_runtime.signature(rows) in the script"
        )
    for column in declared:
        if column.shape != (-1,):
            raise SignatureError(
                f"{FILE_NAME}: input {column.name} has the shape {list(column.shape)}, and a "
                "column of a table has [-1]"
            )


def check_features(declared: Sequence[Tensor]) -> None:
    """Raise SignatureError where columns cannot be made features."""
    check_columns(declared)
    for column in declared:
        if column.dtype == "string" and column.categories is None:
            raise SignatureError(f"{FILE_NAME}: input {column.name} needs categories: it has texts")


def check_rows(declared: Sequence[Tensor]) -> None:
    """Raise SignatureError where inputs are neither columns nor rows of numbers."""
    if not is_table(declared):
        numbers(declared)


def is_table(declared: Sequence[Tensor]) -> bool:
    """Tell whether a signature's inputs are columns, and not rows of numbers."""
    return bool(declared) and all(column.shape == (-1,) for column in declared)


def numbers(declared: Sequence[Tensor]) -> TensorSettings:
    """Return what rows of numbers are; raises SignatureError for several inputs, or texts."""
    if len(declared) > 1:
        check_columns(declared)
    return TensorSettings.read({}, declared[0]) if declared else TensorSettings("float64")
