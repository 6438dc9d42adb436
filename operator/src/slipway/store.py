"""The artifact store as pods see it: where things lie, and the Secret that opens it."""

from typing import Any

from slipway.api.training.job import TrainingJob
from slipway.manifests import MANAGED_BY, MANAGER
from slipway.plan import Manifest, StoredFolder
from slipway.settings import StoreSettings
from slipway.uris import ObjectUri, refusal

MANIFEST = "_manifest.json"
"""The file that says of an output, or of a checkpoint, that it is whole."""
LINEAGE = "lineage.json"
"""The record of an archive's origin, beside the archive."""
ENDPOINT = "SLIPWAY_STORE_ENDPOINT"
"""Key of the Secret: the store's URL where ``AWS_ENDPOINT_URL`` is the one without TLS."""
ADDRESSING_STYLE = "AWS_S3_ADDRESSING_STYLE"
"""Key of the Secret: ``virtual`` where the bucket is named in the host and not in the path."""
BUCKET = "slipway.dev/store-bucket"
"""Annotation of a namespace's Secret: the bucket in which its artifacts lie."""


def _place(store: StoreSettings, folder: str, job: TrainingJob) -> str:
    meta = job.metadata
    return f"{store.uri.rstrip('/')}/{folder}/{meta.namespace}/{meta.name}/{meta.uid}"


def output_uri(store: StoreSettings, job: TrainingJob) -> str:
    """Return where a job's output goes; the job's UID keeps namesakes apart."""
    return _place(store, "outputs", job)


def checkpoint_uri(store: StoreSettings, job: TrainingJob) -> str:
    """Return where a job's checkpoints go: the folder that it names, or one of its own."""
    named = job.spec.checkpoint.uri if job.spec.checkpoint else None
    return named or _place(store, "checkpoints", job)


def package_uri(store: StoreSettings, job: TrainingJob, number: int) -> str:
    """Return where a job's .mar archive goes that is made as the given number."""
    version = job.package_version(number)
    return f"{_packaging(store, job, number)}/{job.model_name}-{version}.mar"


def lineage_uri(store: StoreSettings, job: TrainingJob, number: int) -> str:
    """Return where the record of an archive's origin goes."""
    return f"{_packaging(store, job, number)}/{LINEAGE}"


def _packaging(store: StoreSettings, job: TrainingJob, number: int) -> str:
    """Return a packaging's folder: the job's own for the first, one beneath it for each other."""
    place = _place(store, "models", job)
    return place if number == 1 else f"{place}/{number}"


def output_folder(store: StoreSettings, job: TrainingJob) -> StoredFolder:
    """Return the folder of a job's output; raises ValueError for a job without a UID."""
    return _own(store, job, output_uri(store, job), MANIFEST)


def checkpoint_folder(store: StoreSettings, job: TrainingJob) -> StoredFolder:
    """Return a job's own folder of checkpoints, whatever it names; raises ValueError as above."""
    return _own(store, job, _place(store, "checkpoints", job), "")


def package_folder(store: StoreSettings, job: TrainingJob, number: int) -> StoredFolder:
    """Return the folder of one of a job's archives; raises ValueError as above.

    That of the first one has those of all others beneath it.
    """
    return _own(store, job, _packaging(store, job, number), LINEAGE, flat=True)


def _own(
    store: StoreSettings, job: TrainingJob, uri: str, record: str, *, flat: bool = False
) -> StoredFolder:
    meta, place = job.metadata, ObjectUri.parse(uri)
    whose = (meta.namespace, meta.name, meta.uid)
    places = store.places.writable(meta.namespace)
    if not all(whose) or not any(place.lies_in(own) for own in places):
        raise ValueError(f"{uri} is no folder of a job's own")
    return StoredFolder(place, record, flat)


def forbidden_uri(
    store: StoreSettings, namespace: str, uri: str, secret_name: str | None, *, writes: bool = False
) -> str | None:
    """Return why a URI that a user wrote must not be opened for its namespace; None where it may.

    Only the store's own credentials, which the operator lends, bind it to a place: a Secret that
    the user names opens what it opens, and other schemes get no credentials.
    """
    lent = secret_name in (None, store.secret_name)
    if not (lent and uri.startswith("s3:")):
        return None
    return refusal(uri, namespace, store.places, writes=writes)


def store_secrets(store: StoreSettings, namespace: str) -> tuple[Manifest, ...]:
    """Return the Secret that opens the store to the operator's own containers in a namespace.

    Its key is filled in when it is applied. It has no owner, since all jobs and deployments of the
    namespace share it. Where the pods' identity opens the store, it has no key, and there is none
    unless the store has authorities of its own. The namespace's
    bucket is noted on it, for an operator that starts while the store is away. Pods of release
    0.2.0 have its keys as variables, and use ``AWS_ENDPOINT_URL``; later ones prefer `ENDPOINT`.
    """
    if not store.has_secret:
        return ()
    data = {"AWS_DEFAULT_REGION": store.region}
    if store.endpoint:
        data["AWS_ENDPOINT_URL"] = store.plain_endpoint or store.endpoint
    if store.plain_endpoint:
        data[ENDPOINT] = store.endpoint
    if store.addressing_style == "virtual":
        data[ADDRESSING_STYLE] = store.addressing_style
    own = store.credentials == "accounts" and store.release_uri
    noted = {"annotations": {BUCKET: ObjectUri.parse(store.uri).bucket}} if own else {}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": store.secret_name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "slipway", MANAGED_BY: MANAGER},
            **noted,
        },
        "type": "Opaque",
        "stringData": data,
    }
    return (secret,)


def store_identity(store: StoreSettings) -> dict[str, Any]:
    """Return the pod fields by which a cloud lets the pod into the store; none with a Secret."""
    known = store.credentials == "identity" and store.service_account
    return {"serviceAccountName": store.service_account} if known else {}
