"""A request's headers, as handlers ask for them."""

from collections.abc import Mapping
from typing import Any


class Headers(dict[str, Any]):
    """Headers that are found whatever the case of their names is."""

    def __init__(self, headers: Mapping[str, Any]) -> None:
        super().__init__(headers)
        self._names = {name.lower(): name for name in headers}

    def __missing__(self, name: str) -> Any:
        known = self._names.get(name.lower()) if isinstance(name, str) else None
        if known is None or known == name:
            raise KeyError(name)
        return super().__getitem__(known)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header's value, or the default."""
        try:
            return self[name]
        except KeyError:
            return default
