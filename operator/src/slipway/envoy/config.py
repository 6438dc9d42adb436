"""What the generated Envoy configuration depends on, and how it is written down."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

LOOPBACK = "127.0.0.1"
"""The model's server, and what the pod's own hooks ask, answer on loopback only."""

ROUTE_CONFIG = "slipway"
"""Name of the one route configuration that the users' listener asks for."""

TIMEOUT_MARGIN_SECONDS = 5
"""How much later than the server Envoy gives up, so that the server's own error gets through."""

CONNECTION_BUFFER_BYTES = 256 << 10
"""How much of what one connection brings waits in memory before Envoy stops reading, in bytes."""

TYPE = "@type"


@dataclass(frozen=True)
class Cors:
    """Which web pages may ask: their origins, or ``*`` for any; what they may send and read."""

    origins: tuple[str, ...]
    headers: tuple[str, ...] = ("content-type",)
    max_age_seconds: int = 600
    credentials: bool = False


@dataclass(frozen=True)
class Upstream:
    """The server of the pod's one model, as Envoy knows it: TCP ports on loopback, and paths.

    ``predictions`` is the path by which it knows the model, ``paths`` the beginnings of others that
    it gets as users ask them, with any method and any body. It is ready while its page at
    ``ready_path`` (``management_port``) has ``ready_text`` once for each of its ``workers``, or
    answers 200 where that is empty; without a path, while its gRPC health service says that
    ``grpc_service`` serves, or else while the port takes connections. With ``grpc_service`` it
    speaks HTTP/2. It is alive while ``live_path`` (``live_port``) answers. It counts at
    ``metrics_path`` (``metrics_port``). ``deaths_path`` (``deaths_port``) is the page that tells
    why a worker died. What has no path is not asked. A connection that is unused for
    ``idle_seconds`` is closed before the server may do so; None leaves that to the server.
    """

    workers: int
    predictions: str
    inference_port: int
    management_port: int
    ready_path: str | None = None
    ready_text: str = ""
    grpc_service: str | None = None
    live_path: str | None = None
    live_port: int = 0
    metrics_path: str | None = None
    metrics_port: int = 0
    deaths_path: str | None = None
    deaths_port: int = 0
    paths: tuple[str, ...] = ()
    idle_seconds: int | None = None

    @property
    def speaks_grpc(self) -> bool:
        """Whether requests are gRPC's: by HTTP/2, and streams that are never held back."""
        return self.grpc_service is not None


@dataclass(frozen=True)
class ProxyConfig:
    """One pod's proxy; ports are TCP ports, times are in seconds.

    The server has ``most_at_once`` requests at a time, and ``most_waiting`` more wait in Envoy
    before others are refused. ``max_request_bytes`` is the longest request body, ``heap_bytes`` the
    memory beyond which Envoy refuses work. ``revision`` is what answers are marked with;
    ``forward_token`` is what the deployment's own Envoys know each other by: whoever does not know
    it is a user. ``routes_folder`` is a folder whose files are replaced by renames, as the kubelet
    does with a mounted ConfigMap; ``routes_file`` lies in it.
    """

    namespace: str
    deployment: str
    model: str
    upstream: Upstream
    response_timeout: int
    most_at_once: int = 100
    most_waiting: int = 4000
    max_request_bytes: int = 6_553_500
    heap_bytes: int = 400 << 20
    revision: str = ""
    forward_token: str = ""
    drain_token: str = ""
    cors: Cors | None = None
    admin_socket: str = "/slipway/admin/envoy.sock"
    routes_folder: str = "/slipway/routes"
    routes_file: str = "routes.yaml"
    http_port: int = 8000
    ops_port: int = 9000
    hooks_port: int = 9901
    drain_port: int = 9903

    @property
    def route_timeout(self) -> int:
        """Longest time for one answer as seen by Envoy, in seconds."""
        return self.response_timeout + TIMEOUT_MARGIN_SECONDS


def typed(type_name: str, **fields: Any) -> dict[str, Any]:
    """Return a protobuf Any: the fields of a message with the message's type."""
    return {TYPE: f"type.googleapis.com/{type_name}", **fields}


def seconds(value: float) -> str:
    """Return a protobuf Duration in JSON form."""
    return f"{value:g}s" if value < 1_000_000 else f"{value:.0f}s"


def address(host: str, port: int) -> dict[str, Any]:
    """Return a TCP socket address."""
    return {"socket_address": {"address": host, "port_value": port}}


def to_text(document: dict[str, Any]) -> str:
    """Return a configuration as the text of a file, the same for equal documents.

    It is JSON, which is YAML as well, and takes a fortieth of the time to write.
    """
    return to_json(document, indent=1).decode()
