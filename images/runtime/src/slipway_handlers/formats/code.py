"""Files of models that run whatever code they hold as they are loaded."""

from __future__ import annotations

import os
from pathlib import Path

ALLOWED = "SLIPWAY_ALLOW_PICKLED_MODELS"
"""The server's variable, set by spec.model.allowPickle; the Python server's handlers ask it too."""


def check_allowed(path: Path) -> None:
    """Raise RuntimeError where the deployment does not allow such a file."""
    if os.environ.get(ALLOWED) != "true":
        raise RuntimeError(
            f"Loading {path.name} runs whatever code it holds. To allow it, have {ALLOWED}=true in "
            "the server's environment (spec.model.allowPickle)."
        )
