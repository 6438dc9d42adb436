"""The names by which the store knows a namespace: its bucket, its accounts, its claim.

All of them hold the namespace's UID or its hash. So a namespace that is deleted and made anew under
the same name, perhaps by somebody else, is another one to the store: it finds nothing that its
predecessor left.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_ACCOUNT = re.compile(r"([a-z0-9-]{1,63})\.([0-9a-f]{12})\.([0-9a-f]{8,9})")
"""A tenth digit of the moment would be beyond the year 9999, which no calendar has."""
CLAIMS = "namespaces"
"""Folder of the release's bucket, closed to all accounts: `CLAIMS/NAMESPACE/UID` is an empty object
and says whose the folders are that release 0.2.0 made for a namespace of this name."""
SINCE = f"{CLAIMS}/.since"
"""Made when accounts are first used: what was there before may have been made by release 0.2.0."""


@dataclass(frozen=True)
class Tenant:
    """A namespace: its name and the UID that it has in the cluster."""

    namespace: str
    uid: str

    @property
    def bucket(self) -> str:
        """Its bucket: as much of its name as fits, and 16 digits of the hash of name and UID.

        At most 63 characters of those that S3 allows. Source:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        """
        digest = hashlib.sha256(f"{self.namespace}/{self.uid}".encode()).hexdigest()
        return f"ns-{self.namespace[:43]}-{digest[:16]}"

    @property
    def short_uid(self) -> str:
        """Twelve hexadecimal digits of the UID, which account names hold."""
        return hashlib.sha256(self.uid.encode()).hexdigest()[:12]

    @property
    def claim(self) -> str:
        """The key of the object that gives it the folders of its name in the release's bucket."""
        return f"{CLAIMS}/{self.namespace}/{self.uid}"

    def account(self, made: datetime) -> "AccountName":
        """Return the name of its account that was made at a moment."""
        return AccountName(self.namespace, self.short_uid, int(made.timestamp()))

    def owns(self, account: "AccountName") -> bool:
        """Tell whether an account is this namespace's, and not a predecessor's."""
        return (account.namespace, account.short_uid) == (self.namespace, self.short_uid)


@dataclass(frozen=True, order=True)
class AccountName:
    """The access key ID of an account; it tells its namespace and when it was made (in seconds)."""

    namespace: str
    short_uid: str
    made: int

    def __str__(self) -> str:
        """Return the access key ID."""
        return f"{self.namespace}.{self.short_uid}.{self.made:08x}"

    @property
    def made_at(self) -> datetime:
        """The moment at which it was made."""
        return datetime.fromtimestamp(self.made, UTC)

    @classmethod
    def of(cls, text: str) -> "AccountName":
        """Return what an access key ID says; raises ValueError for another one."""
        name = cls.parse(text)
        if name is None:
            raise ValueError(f"{text} is no account of a namespace")
        return name

    @classmethod
    def parse(cls, text: str) -> "AccountName | None":
        """Return what an access key ID says; None for one that the operator did not make."""
        match = _ACCOUNT.fullmatch(text)
        return cls(match[1], match[2], int(match[3], 16)) if match else None


def claimed(keys: list[str]) -> list[Tenant]:
    """Return the namespaces that claims name, of the keys in the folder of claims."""
    parts = (key.split("/") for key in keys)
    return [Tenant(part[1], part[2]) for part in parts if len(part) == 3 and all(part)]
