"""etcd and kube-apiserver: all that is needed to keep objects, with no node to run them on."""

import ssl
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from dev import gotools, paths
from dev.cluster.certificates import Authority, Certificate, make_signing_key
from dev.cluster.daemon import Daemon
from dev.cluster.kubeconfig import write_kubeconfig
from dev.shell import wait_until, write

AUDIT_POLICY = paths.REPOSITORY / "dev" / "cluster" / "manifests" / "audit-policy.yaml"


@dataclass(frozen=True)
class ControlPlane:
    """The two processes, their files in ``state``, and the addresses that they listen at.

    ``address`` is the apiserver's; etcd listens on loopback. ``services`` is the range of
    Service addresses, whose first is the apiserver's own Service.
    """

    state: Path
    address: str
    port: int
    etcd_port: int
    etcd_peer_port: int
    services: str
    api_service: str
    extra: Sequence[str] = field(default=())

    @property
    def server(self) -> str:
        """The apiserver's URL."""
        return f"https://{self.address}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster administrator (group system:masters)."""
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON object (audit.k8s.io/v1 Event, level Metadata) a line."""
        return self.state / "logs" / "audit.log"

    @property
    def authority(self) -> Authority:
        """The authority that clients and servers of this cluster trust."""
        return Authority(self.state / "certificates", "ca")

    @property
    def front_proxy(self) -> Authority:
        """The authority behind requests that the apiserver passes to an aggregated API."""
        return Authority(self.state / "certificates", "front-proxy-ca")

    @property
    def service_account_key(self) -> Path:
        """The key that signs service account tokens."""
        return self.state / "certificates" / "service-account.key"

    @property
    def service_account_public_key(self) -> Path:
        """The key that service account tokens are checked with."""
        return self.service_account_key.with_suffix(".pub")

    @property
    def audit_policy(self) -> Path:
        """What the audit log gets; a copy, so that another clone starts the same process."""
        return self.state / "audit-policy.yaml"

    def prepare(self) -> None:
        """Make certificates and the administrator's kubeconfig, where they do not exist."""
        write(self.audit_policy, AUDIT_POLICY.read_text())
        self.authority.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.authority.create()
        self.front_proxy.create()
        make_signing_key(self.service_account_key, self.service_account_public_key)
        hosts = (f"IP:{self.address}", f"IP:{self.api_service}", "DNS:kubernetes.default.svc")
        self.authority.issue("apiserver", "kube-apiserver", hosts=hosts)
        self.authority.issue("kubelet-client", "apiserver-kubelet", "system:masters")
        self.front_proxy.issue("front-proxy-client", "front-proxy-client")
        admin = self.authority.issue("admin", "admin", "system:masters")
        self.write_kubeconfig(self.kubeconfig, admin)

    def write_kubeconfig(
        self, path: Path, user: Certificate | str, namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig for a client certificate or a bearer token."""
        return write_kubeconfig(path, self.server, self.authority.own.certificate, user, namespace)

    def daemons(self) -> tuple[Daemon, Daemon]:
        """Return etcd and kube-apiserver; they can start once ``prepare`` has been called."""
        return self._etcd(), self._apiserver()

    def start(self, timeout: float = 60) -> None:
        """Start what does not run and wait until the apiserver is ready."""
        daemons = self.daemons()
        for daemon in daemons:
            daemon.start()

        def ready() -> bool:
            for daemon in daemons:
                daemon.check()
            return self.ready()

        wait_until(ready, timeout, "Readiness of the kube-apiserver")

    def ready(self) -> bool:
        """Whether the apiserver answers /readyz."""
        admin = self.authority.files("admin")
        try:
            context = ssl.create_default_context(cafile=str(self.authority.own.certificate))
            context.load_cert_chain(admin.certificate, admin.key)
            with urllib.request.urlopen(f"{self.server}/readyz", context=context, timeout=5):
                return True
        except (URLError, OSError):
            return False

    def _etcd(self) -> Daemon:
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        argv = (
            str(gotools.path("etcd")),
            "--name=slipway",
            f"--data-dir={self.state / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=slipway={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        return Daemon("etcd", argv, self.state)

    def _apiserver(self) -> Daemon:
        serving, kubelet = self.authority.files("apiserver"), self.authority.files("kubelet-client")
        proxy = self.front_proxy.files("front-proxy-client")
        argv = (
            str(gotools.path("kube-apiserver")),
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={self.port}",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--service-cluster-ip-range={self.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={self.authority.own.certificate}",
            *_pair("tls-cert-file", "tls-private-key-file", serving),
            *_pair("kubelet-client-certificate", "kubelet-client-key", kubelet),
            *_pair("proxy-client-cert-file", "proxy-client-key-file", proxy),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.service_account_public_key}",
            f"--service-account-signing-key-file={self.service_account_key}",
            f"--requestheader-client-ca-file={self.front_proxy.own.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--kubelet-preferred-address-types=InternalIP",
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={self.audit_policy}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
            *self.extra,
        )
        return Daemon("kube-apiserver", argv, self.state)


def _pair(certificate: str, key: str, files: Certificate) -> tuple[str, str]:
    return f"--{certificate}={files.certificate}", f"--{key}={files.key}"
