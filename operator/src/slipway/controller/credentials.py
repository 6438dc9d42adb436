"""What opens the store to namespaces, as the settings have it, and what that must know of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from slipway.accounts.built_in import BuiltInAccounts
from slipway.accounts.cluster import NamespaceFacts, StoreSecret
from slipway.accounts.credentials import Credentials
from slipway.accounts.fixed import IdentityCredentials, NamespaceCredentials, SharedCredential
from slipway.accounts.policy import Folder
from slipway.accounts.server.admin import Caller, StoreServer
from slipway.accounts.server.signing import Key
from slipway.accounts.server.sts import Role, Sessions
from slipway.accounts.trust import Trust, Trusted
from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.kube.client import Client
from slipway.kube.errors import KubeError, NotFound
from slipway.kube.resources import OWN, SECRETS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.shared import is_ours, secret_data
from slipway.manifests import TRAINING_JOB
from slipway.plan import Manifest, ObjectRef
from slipway.settings import Settings, StoreSettings
from slipway.store import BUCKET


class ClusterFacts:
    """What accounts must know of the cluster: from the cache, or from the API server."""

    def __init__(self, client: Client, cache: Cache, secret_name: str) -> None:
        self._client = client
        self._cache = cache
        self._secret_name = secret_name

    async def namespace(self, name: str) -> NamespaceFacts | None:
        """Return a namespace; None where there is none."""
        try:
            meta = (await self._client.request("get", f"/api/v1/namespaces/{name}"))["metadata"]
        except NotFound:
            return None
        return NamespaceFacts(meta["uid"], datetime.fromisoformat(meta["creationTimestamp"]))

    async def secret(self, namespace: str) -> StoreSecret | None:
        """Return the store's Secret in a namespace; None where there is none."""
        live = await _read(self._client, namespace, self._secret_name)
        if live is None:
            return None
        bucket = (live["metadata"].get("annotations") or {}).get(BUCKET)
        return StoreSecret(secret_data(live) or {}, bucket, is_ours(live))

    def owners(self, namespace: str) -> frozenset[str]:
        """Return the UIDs of a namespace's TrainingJobs and ModelDeployments.

        One that could not be read may have any: there is one without a UID.
        """
        if namespace in self._cache.unknown:
            return frozenset({""})
        kinds = {resource.kind for resource in OWN}
        known = (uid for kind in kinds for _, uid, _ in self._cache.uids(kind, namespace))
        lost = ((ref, uid) for uid, (ref, _) in self._cache.unhandled.items())
        here = (uid for ref, uid in lost if ref.kind in kinds and ref.namespace == namespace)
        return frozenset({*known, *here})

    def oldest_holder(self, namespace: str) -> datetime | None:
        """Return when the oldest pod was made that may hold a credential while it runs.

        Pods that serve read the store only before they start.
        """
        made = (
            datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
            for pod in self._cache.of_kind("Pod", namespace)
            if TRAINING_JOB in (pod["metadata"].get("labels") or {})
        )
        return min(made, default=None)


class StoreSecrets:
    """What lies in a namespace's Secret for the store, whoever made it.

    It opens what its author may open, and is used with the settings' own address of the store.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def held(self, namespace: str) -> Mapping[str, str] | None:
        """Return what the Secret holds; None where there is none. Raises UnansweredError."""
        try:
            return secret_data(await _read(self._client, namespace, self._name))
        except KubeError as error:
            raise UnansweredError(error.message) from error


async def _read(client: Client, namespace: str, name: str) -> Manifest | None:
    return await client.get(ObjectRef(SECRETS.api_version, SECRETS.kind, namespace, name))


def make_credentials(settings: Settings, client: Client, cache: Cache) -> Credentials:
    """Return what opens the store, as ``settings.store.credentials`` says."""
    made = _made(settings.store, client, cache)
    trust = Trust(settings.store.ca_file)
    return Trusted(made, trust) if settings.store.ca_file else made


def _made(store: StoreSettings, client: Client, cache: Cache) -> Credentials:
    if store.credentials == "accounts":
        return _accounts(store, ClusterFacts(client, cache, store.secret_name))
    if store.credentials == "sessions":
        return _sessions(store)
    if store.credentials == "namespace":
        return NamespaceCredentials(store)
    if store.credentials == "identity":
        return IdentityCredentials(store)
    return SharedCredential(store)


def _key(store: StoreSettings) -> Key:
    return Key(store.access_key_id, store.secret_access_key.get_secret_value())


def _accounts(store: StoreSettings, cluster: ClusterFacts) -> BuiltInAccounts:
    trust = Trust(store.ca_file)
    caller = Caller(store.endpoint, _key(store), store.region, trust=trust)
    bucket, shared = Folder.parse(store.uri).bucket, map(Folder.parse, store.places.shared)
    days = store.account_max_age_days
    max_age = timedelta(days=days) if days else None
    return BuiltInAccounts(StoreServer(caller), cluster, _key(store), bucket, [*shared], max_age)


def _sessions(store: StoreSettings) -> Sessions:
    endpoint = store.sts_endpoint or f"https://sts.{store.region}.amazonaws.com"
    duration = timedelta(seconds=store.session_seconds)
    trust = Trust(store.ca_file if store.sts_endpoint else "")
    caller = Caller(endpoint, _key(store), store.region, "sts", trust=trust)
    return Sessions(caller, Role(store.role_arn, duration, store.uri, store.places.shared))
