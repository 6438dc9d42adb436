"""The cases of tests/uris.json, to which the operator and the programs in pods are both held."""

import json
from pathlib import Path
from typing import Any

URIS: dict[str, Any] = json.loads(Path(__file__).with_name("uris.json").read_text("utf-8"))
NAMESPACE: str = URIS["namespace"]
LAYOUTS: dict[str, Any] = URIS["layouts"]
JUDGED = [(layout, case) for case in URIS["judged"] for layout in case["layouts"]]
"""Each URI with a layout of the store, and whether the namespace may read and write it there."""
SHOWN = [tuple(pair) for pair in URIS["shown"]]
SCRUBBED = [tuple(pair) for pair in URIS["scrubbed"]]
