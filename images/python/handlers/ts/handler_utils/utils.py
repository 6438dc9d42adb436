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
    kind = context.get_response_content_type(0)
    context.stream.send(ret, kind)


def import_class(class_name: str, module_prefix: str | None = None) -> type:
    """Return a class by its module's name and its own, as in ``PACKAGE.MODULE.CLASS``."""
    module_name, _, name = class_name.rpartition(".")
    module = importlib.import_module(
        f"{module_prefix}.{module_name}" if module_prefix else module_name
    )
    found: type = getattr(module, name)
    return found
