"""Bucket policies, as JSON documents: what an account may do, and nothing else.

versitygw asks the policy with the normalised key, so that ``..`` leads out of every folder that is
named here. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.accounts.names import AccountName, Tenant
from slipway.settings import FOLDERS
from slipway.uris import ObjectUri

_READ = ("s3:GetObject",)
_WRITE = (
    *_READ,
    *("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
    "s3:ListMultipartUploadParts",
)
_LIST = ("s3:ListBucket",)
_LIST_ALL = (*_LIST, "s3:ListBucketMultipartUploads")

Document = dict[str, Any]


@dataclass(frozen=True, order=True)
class Folder:
    """What lies under a prefix in a bucket; the prefix is empty, or has a slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str) -> "Folder":
        """Return the folder at ``s3://BUCKET/PREFIX``."""
        place = ObjectUri.parse(uri)
        return cls(place.bucket, "".join(f"{part}/" for part in place.parts))


def own_bucket(tenant: Tenant, accounts: Iterable[AccountName]) -> Document:
    """Return the policy of a namespace's own bucket: its accounts write its folders."""
    who = _names(accounts)
    return _document(
        _allow(who, _WRITE, [f"{tenant.bucket}/{folder}/*" for folder in FOLDERS]),
        _allow(who, _LIST_ALL, [tenant.bucket]),
    )


def release_bucket(
    bucket: str,
    accounts: Sequence[AccountName],
    claims: Iterable[Tenant],
    shared: Iterable[Folder],
) -> Document | None:
    """Return the policy of the release's bucket; None where there is nobody to let in.

    Every account reads what is shared. Those of namespaces whose folders release 0.2.0 made here
    write these; they list by prefix, so that they learn nobody else's names. Unfinished uploads
    cannot be listed by prefix, hence not at all.
    """
    if not accounts:
        return None
    read = [folder for folder in shared if folder.bucket == bucket]
    statements = [*_folders(_names(accounts), _READ, read)]
    for tenant in claims:
        who = _names(account for account in accounts if tenant.owns(account))
        if who:
            own = [Folder(bucket, f"{folder}/{tenant.namespace}/") for folder in FOLDERS]
            statements += _folders(who, _WRITE, own)
    return _document(*statements)


def session(store: Folder, namespace: str, shared: Iterable[Folder]) -> Document:
    """Return the session policy of temporary credentials for a namespace in an outside bucket."""
    own = [Folder(store.bucket, f"{store.prefix}{name}/{namespace}/") for name in FOLDERS]
    return _document(*_folders(None, _WRITE, own), *_folders(None, _READ, shared))


def _folders(
    who: list[str] | None, actions: Sequence[str], folders: Iterable[Folder]
) -> list[Document]:
    """Return the statements that open folders, two for each bucket that they lie in."""
    prefixes: dict[str, list[str]] = {}
    for folder in folders:
        prefixes.setdefault(folder.bucket, []).append(f"{folder.prefix}*")
    return [
        statement
        for bucket, patterns in prefixes.items()
        for statement in (
            _allow(who, actions, [f"{bucket}/{pattern}" for pattern in patterns]),
            {
                **_allow(who, _LIST, [bucket]),
                "Condition": {"StringLike": {"s3:prefix": patterns}},
            },
        )
    ]


def _allow(who: list[str] | None, actions: Sequence[str], resources: Iterable[str]) -> Document:
    statement: Document = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{resource}" for resource in resources],
    }
    return statement if who is None else {**statement, "Principal": {"AWS": who}}


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _names(accounts: Iterable[AccountName]) -> list[str]:
    return sorted(map(str, accounts))
