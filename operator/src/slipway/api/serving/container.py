"""A server of the user's own: ``spec.server.container``."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, Image, rules, text
from slipway.api.common import EnvFromList, EnvList

PROXY_PORTS = (8000, 9000, 9901, 9903)
"""Ports within the pod that Envoy and the program of the pod's hooks listen on."""

_PATH_PATTERN = "^/[A-Za-z0-9._~!&()*+,;=:@/-]*$"
"""A path without escapes, query and fragment, nor a backslash. RFC 3986, section 3.3."""

HttpPath = Annotated[
    str,
    text(
        _PATH_PATTERN,
        "write a path that starts with /, such as /v1/models/iris:predict, without a query",
        longest=1024,
    ),
]

Argument = Annotated[str, Field(max_length=8192)]

ModelMount = Annotated[
    str,
    Field(
        min_length=2,
        max_length=255,
        json_schema_extra=rules(
            (
                "self.matches('^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$')",
                "write the absolute path of a folder, such as /mnt/models",
            ),
            (
                "!self.matches('^/(slipway|tmp|dev|proc|sys|etc)(/|$)')",
                "choose another folder for the model, such as /mnt/models: /slipway, /tmp, /dev, "
                "/proc, /sys and /etc are the pod's own",
            ),
        ),
    ),
]

_PORT_RULE = rules(
    (
        f"!(self in [{', '.join(str(port) for port in PROXY_PORTS)}])",
        "choose another port for the server: "
        f"{', '.join(str(port) for port in PROXY_PORTS)} are Envoy's",
    )
)
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra=_PORT_RULE)]


class GrpcHealth(ApiModel):
    """The standard health service of gRPC (grpc.health.v1.Health)."""

    service: Annotated[str, Field(max_length=253)] = Field(
        default="", description="Service whose health is asked for; the whole server's where empty."
    )


class ContainerReadiness(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.path) != has(self.grpc)",
            "write exactly one of readiness.path and readiness.grpc",
        )
    ),
):
    """How it is known that the server takes requests."""

    path: HttpPath | None = Field(
        default=None, description="Path that answers 200 once the model is loaded."
    )
    grpc: GrpcHealth | None = Field(
        default=None,
        description="gRPC's health service on the port; the server is then asked by HTTP/2.",
    )


class ContainerDrain(ApiModel):
    """What the server is told before it is stopped."""

    path: HttpPath = Field(
        description="Path that is asked with GET once no client is connected any more, such as one "
        "that writes statistics; its answer is waited for.",
    )


_NO_GRPC = "!has(self.readiness) || !has(self.readiness.grpc)"


class ServerContainer(
    ApiModel,
    json_schema_extra=rules(
        (
            "!has(self.metricsPort) || has(self.metricsPath)",
            "write container.metricsPath, which is asked at container.metricsPort",
        ),
        (
            f"!has(self.drain) || {_NO_GRPC}",
            "remove container.drain, whose page is asked by HTTP/1.1: the server speaks gRPC, and "
            "ends its calls at SIGTERM",
        ),
        (
            f"!has(self.metricsPath) || {_NO_GRPC} || "
            "(has(self.metricsPort) && self.metricsPort != self.port)",
            "write another container.metricsPort than container.port: the page is asked by "
            "HTTP/1.1, and container.port speaks gRPC",
        ),
    ),
):
    """A server of your own: any image that answers HTTP or gRPC on a port."""

    image: Image
    """Its image; nothing of Slipway's is needed in it."""
    command: Annotated[list[Argument], Field(max_length=64)] = Field(
        default_factory=list,
        description="The program, in place of the image's entrypoint; $(NAME) is replaced by a "
        "variable.",
    )
    args: Annotated[list[Argument], Field(max_length=128)] = Field(
        default_factory=list, description="Its arguments, in place of the image's."
    )
    port: Port = Field(default=8080, description="Port that the server listens on.")
    env: EnvList = Field(default_factory=list, description="Variables of the server.")
    env_from: EnvFromList = Field(
        default_factory=list, description="ConfigMaps and Secrets with more variables."
    )
    model_mount: ModelMount = Field(
        default="/mnt/models",
        description="Folder where the model is mounted, read-only: an archive (.mar, .zip, .tar, "
        ".tar.gz, .tgz, .tar.bz2, .tar.xz) unpacked, any other file under its own name, a folder "
        "as it is.",
    )
    predict_path: HttpPath = Field(
        default="/predict",
        description="Path of the server that /predict and /predictions/NAME lead to.",
    )
    paths: Annotated[list[HttpPath], Field(min_length=1, max_length=32)] = Field(
        default_factory=lambda: ["/"],
        description="Beginnings of further paths that are handed on as they are, with any method; "
        "all by default.",
    )
    max_concurrent_requests: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100,
        description="Requests that the server gets at a time; 4000 more wait in Envoy, and others "
        "are refused with 503.",
    )
    readiness: ContainerReadiness | None = Field(
        default=None,
        description="How it is known that the server takes requests; by default that its port "
        "takes connections.",
    )
    drain: ContainerDrain | None = None
    """What the server is told before it is stopped; SIGTERM alone by default."""
    metrics_path: HttpPath | None = Field(
        default=None, description="Path of the server's own page for Prometheus, if it has one."
    )
    metrics_port: Port | None = Field(
        default=None, description="Port of that page, if it is another one than port."
    )


def container_rules(server_defaults: dict[str, int]) -> tuple[tuple[str, str], ...]:
    """Return the CEL rules of ``spec.server`` that say what goes with a container.

    ``server_defaults`` are the fields with a default that have no meaning there, with it.
    """
    other = "self.runtime != 'Container' || "
    own = "the server is your own container"
    written = {
        "image": "!has(self.image)",
        "env": "!has(self.env) || self.env.size() == 0",
        "envFrom": "!has(self.envFrom) || self.envFrom.size() == 0",
    }
    gone = ("batchSize", "maxBatchDelayMilliseconds")
    return (
        (
            "has(self.container) == (self.runtime == 'Container')",
            "write server.container with server.runtime: Container, and only there",
        ),
        *(
            (
                f"{other}{nothing}",
                f"write server.container.{name} instead of server.{name}: {own}",
            )
            for name, nothing in written.items()
        ),
        *(
            (
                f"{other}!has(self.{name})",
                f"remove server.{name}: {own}, which makes its own batches",
            )
            for name in gone
        ),
        *(
            (
                f"{other}self.{name} == {default}",
                f"remove server.{name}: {own}, which is told by container.args or container.env",
            )
            for name, default in server_defaults.items()
        ),
        (
            f"{other}!has(self.volumeSizes.logs)",
            f"remove server.volumeSizes.logs: {own}, which writes into /tmp alone",
        ),
    )
