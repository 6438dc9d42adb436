"""The JSON that a container leaves as its termination message, or writes into its log."""

import json
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is; empty for anything else.

    A user's own program may have written it: however deeply it is nested, and whatever its strings
    hold, it can be kept as text.
    """
    try:
        found = json.loads(text)
        # A file name that is no UTF-8 comes as lone surrogates, which no text of ours can hold.
        found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
