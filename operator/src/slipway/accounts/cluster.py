"""What has to be known of the cluster to give its namespaces credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class NamespaceFacts:
    """A namespace's UID, and when it was made (UTC)."""

    uid: str
    created: datetime


@dataclass(frozen=True)
class StoreSecret:
    """A namespace's Secret for the store: what it holds, and whether the operator made it.

    ``bucket`` is noted on it as the namespace's. Whoever may write Secrets there may have written
    all of it.
    """

    data: Mapping[str, str]
    bucket: str | None
    is_ours: bool


class Cluster(Protocol):
    """The cluster, as far as accounts go."""

    async def namespace(self, name: str) -> NamespaceFacts | None:
        """Return a namespace; None where there is none."""

    async def secret(self, namespace: str) -> StoreSecret | None:
        """Return the store's Secret in a namespace; None where there is none."""

    def owners(self, namespace: str) -> frozenset[str]:
        """Return the UIDs of a namespace's TrainingJobs and ModelDeployments."""

    def oldest_holder(self, namespace: str) -> datetime | None:
        """Return when the oldest pod was made that may hold a credential while it runs (UTC)."""
