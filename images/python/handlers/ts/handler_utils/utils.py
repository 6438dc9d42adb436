"""Parts of answers, and classes by their names."""

import importlib
from collections.abc import Sequence
from typing import Any


def send_intermediate_predict_response(
    ret: Sequence[Any],
    req_id_map: Any,
    message: str,
    code: int,
    context: Any = None,
) -> None:
    """Send the clients of a batch one part of their answers each, before the answer itself."""
    context.stream.send(ret)


def import_class(class_name: str, module_prefix: str | None = None) -> type:
    """Return a class by its module's name and its own, as in ``PACKAGE.MODULE.CLASS``."""
    module_name, _, name = class_name.rpartition(".")
    path = ".".join(part for part in (module_prefix, module_name) if part)
    if not path or not name:
        raise ImportError(f"{class_name!r} names no class of a module")
    imported: type | None = getattr(importlib.import_module(path), name, None)
    if imported is None:
        raise ImportError(f"{path} has no class {name}")
    return imported
