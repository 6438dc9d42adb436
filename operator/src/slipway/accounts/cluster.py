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


class Cluster(Protocol):
    """The cluster, as far as accounts go."""

    async def namespace(self, name: str) -> NamespaceFacts | None:
        """Return a namespace; None where there is none."""

    async def secret(self, namespace: str) -> Mapping[str, str] | None:
        """Return what the store's Secret in a namespace holds; None where there is none."""

    async def bucket(self, namespace: str) -> str | None:
        """Return the bucket that the store's Secret says is the namespace's; None for no word.

        Whoever may write Secrets in the namespace may have written it.
        """

    async def is_bare(self, namespace: str) -> bool:
        """Tell whether a namespace has no Secret of that name, whoever made it."""

    def owners(self, namespace: str) -> frozenset[str]:
        """Return the UIDs of a namespace's TrainingJobs and ModelDeployments."""

    def oldest_holder(self, namespace: str) -> datetime | None:
        """Return when the oldest pod was made that may hold a credential while it runs (UTC)."""
