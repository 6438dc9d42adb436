"""What the operator is told from outside: environment variables prefixed ``SLIPWAY_``."""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slipway import __version__
from slipway.api.common import ResourceRequirements
from slipway.uris import ObjectUri, StorePlaces

VERIFICATION = "slipway.dev/verification"
"""Label of a namespace; unless its value is ``Optional`` all models served there must be signed.

So a value that is mistyped asks for too much, which is seen, and not for nothing.
"""
FOLDERS = ("outputs", "checkpoints", "models")
"""The folders of the store; each has one for each namespace."""


def _listed(text: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated text, without blanks."""
    return tuple(part for raw in text.split(",") if (part := raw.strip()))


class StoreSettings(BaseSettings):
    """The artifact store that outputs and packages go to, read from ``SLIPWAY_STORE_*``."""

    model_config = SettingsConfigDict(
        env_prefix="SLIPWAY_STORE_", frozen=True, use_attribute_docstrings=True
    )

    uri: str = Field(default="s3://slipway", pattern=r"^s3://[a-z0-9][a-z0-9.-]+(/.*)?$")
    """Bucket, and optionally a prefix, under which everything is kept."""
    endpoint: str = "http://slipway-store.slipway-system.svc:7480"
    """Base URL of the S3 API as pods reach it; empty for AWS' own."""
    plain_endpoint: str = ""
    """Base URL without TLS for pods of release 0.2.0, which know no authority; empty for none."""
    ca_file: str = ""
    """File with the authorities of the store's certificate, in PEM; empty for the system's."""
    tls_secret: str = ""
    """Name of a Secret of the operator's own namespace in which the operator keeps the built-in
    store's certificate; it writes the authorities to ``ca_file``. Empty where others do that."""
    region: str = "us-east-1"
    """Region that requests are signed for."""
    addressing_style: Literal["path", "virtual"] = "path"
    """Where requests to ``endpoint`` name the bucket: in their path, or as the first part of the
    host."""
    secret_name: str = "slipway-store"  # noqa: S105 - a name, not a secret
    """Name of the Secret with the credentials in each namespace that trains or serves."""
    credentials: Literal["shared", "accounts", "sessions", "namespace", "identity"] = "shared"
    """What opens the store to a namespace's pods: the operator's own credential, in every one; an
    account of versitygw for each; temporary credentials for each by AssumeRole; the namespace's own
    Secret; or nothing but the identity of the service account that its pods run as."""
    access_key_id: str = ""
    """The operator's own credential: versitygw's root account, or who may assume the role."""
    secret_access_key: SecretStr = SecretStr("")
    """The secret half of the credential."""
    account_max_age_days: float = Field(default=0.0, ge=0)
    """After so many days an account's key is renewed; 0 for never."""
    role_arn: str = ""
    """Role that is assumed for temporary credentials."""
    sts_endpoint: str = ""
    """Base URL of the STS API; empty for AWS' own in the store's region."""
    session_seconds: int = Field(default=3600, ge=1800, le=43200)
    """How long temporary credentials hold; they are renewed when half of it is over."""
    service_account: str = ""
    """Service account that training, packaging and serving pods run as, where its identity opens
    the store; empty for the namespace's default."""
    retention_output_seconds: int | None = Field(default=None, ge=0)
    """How long outputs are kept after their jobs' end where the jobs do not say it, in seconds;
    None for good."""
    retention_checkpoints_seconds: int | None = Field(default=None, ge=0)
    """How long checkpoints are kept after their jobs' end, likewise."""
    retention_package_versions: int | None = Field(default=None, ge=1, le=20)
    """How many archives of each job are kept, likewise."""
    release_uri: str = ""
    """The release's own ``uri`` where ``uri`` is a namespace's; never set from outside."""
    shared_uris: str = ""
    """Comma-separated folders beside ``shared/`` in the store that every namespace may read."""
    probe_seconds: float = Field(default=10.0, gt=0)
    """How long one answer to "is the store reachable" is believed, in seconds."""

    @property
    def has_secret(self) -> bool:
        """Whether pods need the Secret: for keys, or to know the authorities of the store."""
        return self.credentials != "identity" or bool(self.ca_file)

    @property
    def places(self) -> StorePlaces:
        """What the credentials open for a namespace's objects."""
        base = self.uri.rstrip("/")
        own = tuple(f"{base}/{folder}/{{namespace}}" for folder in FOLDERS)
        shared = f"{(self.release_uri or self.uri).rstrip('/')}/shared"
        return StorePlaces(own, (shared, *_listed(self.shared_uris)))

    def at(self, uri: str) -> Self:
        """Return these settings for a namespace whose artifacts lie under a URI of their own."""
        return self.model_copy(update={"uri": uri, "release_uri": self.uri})

    @model_validator(mode="after")
    def _checked(self) -> Self:
        """Refuse folders that are no plain URIs, and a certificate that nobody would verify."""
        for place in (self.uri, *self.places.shared):
            ObjectUri.parse(place)
        if self.tls_secret and not self.ca_file:
            raise ValueError("tls_secret: set SLIPWAY_STORE_CA_FILE to a file that may be written")
        return self


class Settings(BaseSettings):
    """The operator's settings; each field is one environment variable, ``SLIPWAY_<FIELD>``."""

    model_config = SettingsConfigDict(
        env_prefix="SLIPWAY_", frozen=True, use_attribute_docstrings=True
    )

    namespace: str = "slipway-system"
    """The operator's own namespace: its Lease lives here."""
    watch_namespaces: str = ""
    """Comma-separated namespaces to serve; empty for the whole cluster."""
    trainer_image: str = f"slipway-trainer:{__version__}"
    """Image of training pods' agent and of packaging, and of the trainer where a job names none."""
    server_image: str = f"slipway-server:{__version__}"
    """Image of serving pods."""
    python_image: str = f"slipway-python:{__version__}"
    """Image of serving pods whose runtime is Python."""
    image_pull_policy: str = Field(default="IfNotPresent", pattern="^(Always|IfNotPresent|Never)$")
    """Pull policy of all images in pods that the operator makes."""
    leader_election: bool = True
    """Whether replicas agree on one that acts, by a Lease."""
    workers: int = Field(default=4, ge=1, le=64)
    """How many reconciles run at the same time, beside at most as many that have taken over 3 s, as
    where an admission webhook hangs."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of ``/metrics``, ``/healthz`` and ``/readyz``; 0 picks a free one."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """Least severe level that is logged."""
    progress_interval_seconds: float = Field(default=10.0, ge=1)
    """Shortest time between two reads of a training pod's progress, and so between two status
    writes for progress alone, in seconds."""
    prometheus_url: str = Field(default="", pattern="^(https?://[^ ]+)?$")
    """Prometheus that analyses ask where their queries name none; empty for none."""
    allowed_prometheus_addresses: str = Field(default="", max_length=65536)
    """Comma-separated addresses that users' queries may name in ``prometheus.address``, besides
    ``SLIPWAY_PROMETHEUS_URL`` and the Services of their own namespace."""
    lost_pod_seconds: float = Field(default=60.0, ge=1)
    """So long after the end of its grace period a training pod's node is taken for lost, and the
    pod is deleted without the word of its kubelet, in seconds."""
    max_concurrent_server_updates: int = Field(default=5, ge=1, le=10000)
    """How many ModelDeployments get new pods at a time since a new release makes them in another
    way."""
    resync_seconds: float = Field(default=1800.0, ge=10)
    """Each object is looked at again at least this often, in seconds; one that has ended a quarter
    as often."""
    namespace_memory_percent: float = Field(default=25.0, gt=0, le=100)
    """How much of the container's memory limit the objects of one namespace may take; of those
    beyond it the operator keeps an outline, and does nothing for them."""
    fence: str = "slipway-operator"
    """Name of the ValidatingAdmissionPolicy that bounds the operator's own account: what it refuses
    is no fault of users'."""
    pod_security: Literal["restricted", "baseline", "privileged"] = "restricted"
    """The Pod Security Standard that training and serving pods keep to with their users'
    podTemplate, unless their namespace's own label allows more."""
    verification: Literal["Optional", "Required"] = "Optional"
    """Whether every model that is served must be signed; a namespace's own label may say so too."""
    public_keys: str = Field(default="", max_length=32768)
    """Public keys in PEM, one of which must have signed every model that must be signed, whatever
    keys its deployment names; empty where the deployments name them."""
    resources: dict[str, ResourceRequirements] = Field(default_factory=dict)
    """Resources of the containers agent, answer, fetch, hooks, package and proxy, as JSON; those
    that are not named have defaults."""
    volume_sizes: dict[str, int | str] = Field(default_factory=dict)
    """Sizes of the pods' volumes, as JSON: output, inputs, source, checkpoint, model, logs and
    scratch; those that are not named have defaults."""
    image_pull_secrets: str = ""
    """Comma-separated names of Secrets with registry credentials that all pods get; each namespace
    that trains or serves has to have them."""
    reserved_secrets: str = ""
    """Comma-separated names of Secrets in the operator's own namespace that no user's pod reads."""
    object_metrics: bool = True
    """Whether ``/metrics`` has series of each TrainingJob and ModelDeployment, about 20 of each, or
    sums by namespace alone."""
    secure_metrics: bool = True
    """Whether ``/metrics`` asks for a token whose holder may ``get`` that URL, by the API server's
    word."""
    network_policies: bool = True
    """Whether the pods of each object get a NetworkPolicy that says who may reach them."""
    monitoring_peers: tuple[dict[str, Any], ...] = (
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        {"namespaceSelector": {"matchLabels": {"slipway.dev/monitoring": "true"}}},
    )
    """Who may read the pods' metrics besides the operator: a NetworkPolicy's ``from``, as JSON."""
    scrape_annotations: bool = False
    """Whether training and serving pods carry prometheus.io/scrape, port and path annotations."""
    store: StoreSettings = Field(default_factory=StoreSettings)

    def at(self, uri: str) -> Self:
        """Return these settings for a namespace whose artifacts lie under a URI of their own."""
        return self.model_copy(update={"store": self.store.at(uri)})

    def under(self, verification: str | None) -> Self:
        """Return these settings for a namespace whose label `VERIFICATION` has a value, if any.

        It can only ask for more than the release does.
        """
        if verification is None or verification == "Optional":
            return self
        return self.model_copy(update={"verification": "Required"})

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to serve, without blanks; empty means the whole cluster."""
        return _listed(self.watch_namespaces)

    @property
    def look_again_seconds(self) -> float:
        """How often each object is looked at at least, in seconds; one that has ended more seldom.

        A namespace's session is renewed at a look after half of its time: so that a tenth of it is
        left when the next look comes.
        """
        if self.store.credentials != "sessions":
            return self.resync_seconds
        return min(self.resync_seconds, 0.4 * self.store.session_seconds)

    @property
    def allowed_prometheus(self) -> tuple[str, ...]:
        """The addresses that users' queries may name, the operator's own Prometheus first."""
        return _listed(f"{self.prometheus_url},{self.allowed_prometheus_addresses}")

    @property
    def pull_secrets(self) -> tuple[str, ...]:
        """The Secrets with registry credentials that all pods get."""
        return _listed(self.image_pull_secrets)

    def own_secrets(self, namespace: str) -> frozenset[str]:
        """Return the names of a namespace's Secrets that only the operator's containers read."""
        more = _listed(self.reserved_secrets) if namespace == self.namespace else ()
        return frozenset({self.store.secret_name, *more})
