"""Which Prometheus the operator may be sent to by the author of a ModelDeployment. Pure.

The operator stands in a network that a namespace's users do not: an address is asked only where an
administrator named it, or where it is a Service of the object's own namespace.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from slipway.api import ModelDeployment
from slipway.api.excerpt import excerpt
from slipway.serving.rollout.steps import analyses_of

_SHOWN_CHARACTERS = 128
_DOMAINS = ("svc", "svc.cluster.local")
_LABEL = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_PATH = re.compile(r"(/[A-Za-z0-9][-A-Za-z0-9_.]*)*/?")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Allowed:
    """The addresses that an administrator named: the operator's own Prometheus, and others."""

    addresses: tuple[str, ...] = ()

    def refusal(self, address: str, namespace: str) -> str | None:
        """Return why an address is not asked for objects of a namespace; None for one that is.

        The text is a sentence that says what to write instead.
        """
        origin = _parsed(address)
        listed = origin is not None and origin in map(_parsed, self.addresses)
        if origin is not None and (listed or is_own_service(origin.host, namespace)):
            return None
        return (
            f"prometheus.address {excerpt(address, _SHOWN_CHARACTERS)} is not asked for namespace "
            f"{namespace}: write the address of one of its Services, such as "
            f"http://prometheus.{namespace}.svc:9090, or have an administrator add it to the "
            "chart's operator.analysis.allowedPrometheusAddresses."
        )


@dataclass(frozen=True)
class Address:
    """A Prometheus' address in its parts; two that mean the same are equal."""

    scheme: str
    host: str
    port: int
    path: str


def _parsed(address: str) -> Address | None:
    """Return an address' parts; None for one that could be read in two ways."""
    if not (address.isascii() and address.isprintable()) or set(address) & set(" \\@?#%"):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    return _address(parts, port) if parts.scheme in _PORTS and parts.hostname else None


def _address(parts: SplitResult, port: int | None) -> Address | None:
    host = str(parts.hostname)
    if not _PATH.fullmatch(parts.path) or port == 0:
        return None
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def is_own_service(host: str, namespace: str) -> bool:
    """Tell whether a host is the DNS name of a Service of a namespace, and not the API server's.

    Names: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#a-aaaa-records
    """
    label, _, rest = host.partition(".")
    if (label, namespace) == ("kubernetes", "default") or not re.fullmatch(_LABEL, label):
        return False
    return rest in tuple(f"{namespace}.{domain}" for domain in _DOMAINS)


def refusals(deployment: ModelDeployment, allowed: Allowed) -> Iterator[str]:
    """Yield the refusal of each address that a deployment's analyses name, in order."""
    namespace = deployment.metadata.namespace
    for address in dict.fromkeys(_addresses(deployment)):
        refusal = allowed.refusal(address, namespace)
        if refusal is not None:
            yield refusal


def _addresses(deployment: ModelDeployment) -> Iterator[str]:
    for spec in analyses_of(deployment.spec.rollout):
        for metric in spec.metrics:
            if metric.prometheus is not None and metric.prometheus.address is not None:
                yield metric.prometheus.address
