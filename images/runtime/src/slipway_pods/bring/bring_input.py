"""Bring one input of a training from its URI to the pod's disk: an init container.

Variables: ``SLIPWAY_INPUT`` (JSON: ``{"name", "uri", "sha256"}``) and ``SLIPWAY_INPUT_DIR`` (where
it goes); credentials are those of `slipway_pods.store.credentials`. An input of a
claim (``pvc://``) is there already: only its digest is checked.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods.bring import bringing, download
from slipway_pods.store import credentials


def bring(wanted: Mapping[str, Any], folder: Path) -> None:
    """Put an input into a folder, and check its digest where one is asked for."""
    name, uri, sha256 = wanted["name"], wanted["uri"], wanted.get("sha256")
    if uri.startswith("pvc:"):
        listing = download.present(folder)
    else:
        listing = download.bring(uri, folder, f"input {name}")
    if sha256:
        download.check(folder, listing, sha256, uri)


def main() -> int:
    """Bring the input; returns the exit code."""
    wanted, folder = json.loads(os.environ["SLIPWAY_INPUT"]), Path(os.environ["SLIPWAY_INPUT_DIR"])
    done = f"The input {wanted['name']} is at {folder}"

    def work() -> dict[str, Any]:
        bring(wanted, folder)
        return {}

    return bringing.run(work, done, "InputNotFound")


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main())
