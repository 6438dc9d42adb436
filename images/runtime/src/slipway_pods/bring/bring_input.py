"""Bring one input of a training from its URI to the pod's disk: an init container.

Variables: ``SLIPWAY_INPUT`` (JSON: ``{"name", "uri", "sha256", "isDigestTold", "archive"}``) and
``SLIPWAY_INPUT_DIR`` (where it goes); credentials are those of `slipway_pods.store.credentials`. An
input of a claim (``pvc://``) is there already: only its digest is checked. With ``archive`` it is
the archive of another job, which is unpacked; an encrypted one has ``{"keyset", "associatedData"}``
there. The termination message has the ``sha256`` of what was checked, and with ``isDigestTold`` in
the pod of index 0 of all that is not too large.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods import room
from slipway_pods.bring import bringing, download, packaged
from slipway_pods.store import credentials

MOST_HASHED = 16 * 1024**3
"""Most bytes that are read again for a digest that nobody asked for: 10 to 30 s of a core."""


def bring(wanted: Mapping[str, Any], folder: Path, *, first: bool) -> str | None:
    """Put an input into a folder, and check its digest where one is asked for.

    Returns the digest where it is known, or to be told: by the group's ``first`` pod.
    """
    name, uri, sha256 = wanted["name"], wanted["uri"], wanted.get("sha256")
    if "archive" in wanted:
        packaged.bring(uri, str(sha256), folder, f"input {name}", wanted["archive"])
        return str(sha256)
    if uri.startswith("pvc:"):
        listing = download.present(folder)
    else:
        listing = download.bring(uri, folder, f"input {name}")
    if sha256:
        download.check(folder, listing, sha256, uri)
        return str(sha256)
    if first and wanted.get("isDigestTold") and room.on_disk(folder) <= MOST_HASHED:
        return download.digest(folder, listing)
    return None


def main() -> int:
    """Bring the input; returns the exit code."""
    wanted, folder = json.loads(os.environ["SLIPWAY_INPUT"]), Path(os.environ["SLIPWAY_INPUT_DIR"])
    done = f"The input {wanted['name']} is at {folder}"

    def work() -> dict[str, Any]:
        is_first = os.environ.get("JOB_COMPLETION_INDEX", "0") == "0"
        digest = bring(wanted, folder, first=is_first)
        return {"sha256": digest} if digest else {}

    return bringing.run(work, done, "InputNotFound")


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main())
