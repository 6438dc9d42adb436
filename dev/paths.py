"""Where the development environment keeps things."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("SLIPWAY_STATE") or REPOSITORY / ".cluster").resolve()
TOOL_MODULES = REPOSITORY / "dev" / "tools"
VENV = REPOSITORY / ".venv"


def cache() -> Path:
    """Return the folder of what is built once and kept: binaries, images, packages.

    It lies outside the clone, so that a second clone finds everything built:
    ``$SLIPWAY_CACHE``, else ``$XDG_CACHE_HOME/slipway``, else ``~/.cache/slipway``.
    """
    if chosen := os.environ.get("SLIPWAY_CACHE"):
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "slipway"
