"""What came of a write that the API server did not carry out to the letter.

An admission webhook may change what is written: an image, a label, a limit. Writing it again would
change nothing, as often as it is done. So what came of it is remembered, and taken for what was
asked for until one of the two changes.
"""

from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache

from slipway.kube.watched.identity import uid_of
from slipway.kube.writes.compare import content_hash, manifest_hash
from slipway.plan import Manifest


class Outcomes:
    """Remembers what came of writes; ``most`` of them. Objects are slim, as the cache has them."""

    def __init__(self, most: int) -> None:
        self._known: LRUCache[tuple[str, str], str] = LRUCache(most)

    def learn(self, written: Mapping[str, Any], became: Manifest) -> None:
        """Remember that an object became this when it was written."""
        self._known[uid_of(became), manifest_hash(written)] = content_hash(became)

    def expects(self, written: Mapping[str, Any], live: Manifest) -> bool:
        """Tell whether writing it would leave the object as it is, as it did before."""
        known = self._known.get((uid_of(live), manifest_hash(written)))
        return known is not None and known == content_hash(live)
