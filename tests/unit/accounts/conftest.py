"""A real versitygw, a cluster in memory, and clients with a namespace's credentials."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import botocore
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dev import gotools
from slipway.accounts.built_in import BuiltInAccounts
from slipway.accounts.cluster import NamespaceFacts, StoreSecret
from slipway.accounts.policy import Folder
from slipway.accounts.server import admin
from slipway.accounts.server.admin import Caller, StoreServer
from slipway.accounts.server.signing import Key
from tests.harness.s3 import BUCKET, S3Server

REGION = "us-east-1"
ROOT = Key("key", "secret")
SHARED = [Folder(BUCKET, "shared/"), Folder("another", "datasets/")]
_BOTO = botocore.session.Session()
"""Made once, since it reads what it knows of S3 from files."""


@dataclass
class Clock:
    """A clock that only tests move; it begins now, since a server compares it with its own."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class FakeCluster:
    """Namespaces with one object each, what their Secrets hold, and since when they have pods."""

    namespaces: dict[str, NamespaceFacts] = field(default_factory=dict)
    secrets: dict[str, Mapping[str, str]] = field(default_factory=dict)
    holders: dict[str, datetime] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, str] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Namespaces that bring a Secret of their own."""

    def add(self, name: str, uid: str, created: datetime | None = None) -> None:
        self.namespaces[name] = NamespaceFacts(uid, created or datetime.now(UTC))
        self.objects[name] = f"object-in-{uid}"

    async def namespace(self, name: str) -> NamespaceFacts | None:
        return self.namespaces.get(name)

    async def secret(self, namespace: str) -> StoreSecret | None:
        held = self.secrets.get(namespace)
        if held is None:
            return None
        return StoreSecret(held, self.buckets.get(namespace), namespace not in self.foreign)

    def owners(self, namespace: str) -> frozenset[str]:
        return frozenset(uid for name, uid in self.objects.items() if name == namespace)

    def oldest_holder(self, namespace: str) -> datetime | None:
        return self.holders.get(namespace)


class World:
    """A store, a cluster, and the accounts that an operator makes; it can start anew."""

    def __init__(self, store: S3Server) -> None:
        self.store = store
        self.cluster = FakeCluster()
        self.clock = Clock()
        self.max_age: timedelta | None = None
        self.restart()

    def restart(self) -> None:
        """Start an operator that remembers nothing."""
        endpoint = f"http://127.0.0.1:{self.store.port}"
        self.server = StoreServer(Caller(endpoint, ROOT, REGION))
        self.accounts = BuiltInAccounts(
            self.server, self.cluster, ROOT, BUCKET, SHARED, self.max_age, self.clock
        )

    async def open(self, namespace: str) -> str:
        """Give a namespace its Secret, as a reconcile does; return its place in the store."""
        place = await self.accounts.place(namespace, self.cluster.objects[namespace])
        live = self.cluster.secrets.get(namespace)
        self.cluster.secrets[namespace] = await self.accounts.data(namespace, live)
        self.cluster.buckets[namespace] = place.removeprefix("s3://")
        return self.cluster.buckets[namespace]

    def client(self, namespace: str) -> "S3":
        """Return what a pod of a namespace may do in the store."""
        return S3(self.store, self.cluster.secrets[namespace])

    def root(self) -> "S3":
        """Return what the store's administrator may do."""
        return S3(self.store, {"AWS_ACCESS_KEY_ID": ROOT.id, "AWS_SECRET_ACCESS_KEY": ROOT.secret})


class S3:
    """boto's client with some credentials, or none; methods tell the server's word of refusal."""

    def __init__(self, store: S3Server, opened: Mapping[str, str]) -> None:
        self.raw: Any = _BOTO.create_client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{store.port}",
            region_name=REGION,
            aws_access_key_id=opened.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=opened.get("AWS_SECRET_ACCESS_KEY"),
            config=Config(
                signature_version="s3v4" if opened else botocore.UNSIGNED,
                s3={"addressing_style": "path"},
                retries={"max_attempts": 1},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, bucket: str, key: str, body: bytes = b"x") -> str:
        return refusal(lambda: self.raw.put_object(Bucket=bucket, Key=key, Body=body))

    def get(self, bucket: str, key: str) -> str:
        return refusal(lambda: self.raw.get_object(Bucket=bucket, Key=key))

    def read(self, bucket: str, key: str) -> bytes:
        body: bytes = self.raw.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        found = self.raw.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
        return [entry["Key"] for entry in found]

    def list(self, bucket: str, prefix: str = "", **options: str) -> str:
        return refusal(lambda: self.raw.list_objects_v2(Bucket=bucket, Prefix=prefix, **options))


def refusal(action: Any) -> str:
    """Return the server's word for why it does not do something; empty where it does."""
    try:
        action()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator wait for a store whose disk is busy."""
    monkeypatch.setattr(admin, "_TIMEOUT", aiohttp.ClientTimeout(total=120))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running store with accounts, and nobody in it."""
    gotools.ensure(["slipway-store"])
    store = S3Server(tmp_path / "s3")
    store.start()
    yield World(store)
    store.stop()
