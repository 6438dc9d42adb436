"""Times of a handler's steps."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

Method = TypeVar("Method", bound=Callable[..., Any])


def timed(method: Method) -> Method:
    """Have a method of a handler tell how long it takes, where model-config.yaml asks for it.

    It asks by ``handler: {profile: true}``; the metric is ``ts_handler_METHOD``, in milliseconds.
    """

    @functools.wraps(method)
    def measured(self: Any, *args: Any, **kwargs: Any) -> Any:
        context = getattr(self, "context", None)
        config = getattr(context, "model_yaml_config", {}).get("handler") or {}
        if context is None or not isinstance(config, dict) or not config.get("profile"):
            return method(self, *args, **kwargs)
        with context.metrics.timed(f"ts_handler_{method.__name__}"):
            return method(self, *args, **kwargs)

    return cast(Method, measured)
