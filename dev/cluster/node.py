"""The node's programs: containerd, kubelet and kube-proxy, and their configuration files."""

import json
from typing import Any

from dev import gotools
from dev.cluster import layout
from dev.cluster.certificates import Certificate
from dev.cluster.control_plane import ControlPlane
from dev.cluster.daemon import Daemon
from dev.shell import write

CONTAINERD = """\
version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # A machine may refuse to lower a process's OOM score below its parent's.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""

NETWORK = {
    "cniVersion": "0.4.0",
    "name": "slipway",
    "plugins": [
        {
            # Each pod is routed to through this machine, never bridged past its packet filter.
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": str(layout.CNI_ADDRESSES),
                "ranges": [[{"subnet": layout.PODS, "gateway": layout.POD_GATEWAY}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def configure(plane: ControlPlane, pause_image: str) -> None:
    """Write the configuration of the node's programs."""
    for folder in (layout.CONTAINERD_STATE, layout.KUBELET_ROOT, layout.VOLUMES):
        folder.mkdir(parents=True, exist_ok=True)
    write(layout.CNI_CONFIG / "10-slipway.conflist", json.dumps(NETWORK, indent=2))
    write(layout.CONFIG / "resolv.conf", "")
    write(
        layout.CONFIG / "containerd.toml",
        CONTAINERD.format(
            root=layout.containerd_root(),
            state=layout.CONTAINERD_STATE,
            socket=layout.CONTAINERD_SOCKET,
            cni=layout.CNI_CONFIG,
            pause=pause_image,
        ),
    )
    hosts = (f"IP:{layout.NODE_ADDRESS}", f"DNS:{layout.NODE}")
    kubelet = plane.authority.issue("kubelet", f"system:node:{layout.NODE}", "system:nodes", hosts)
    plane.write_kubeconfig(layout.CONFIG / "kubelet.kubeconfig", kubelet)
    proxy = plane.authority.issue("kube-proxy", "system:kube-proxy")
    plane.write_kubeconfig(layout.CONFIG / "kube-proxy.kubeconfig", proxy)
    _write_json("kubelet.json", _kubelet(plane, kubelet))
    _write_json("kube-proxy.json", _kube_proxy())


def containerd() -> Daemon:
    """Return containerd; everything of it but its images is in the state folder."""
    config = layout.CONFIG / "containerd.toml"
    return Daemon("containerd", ("containerd", f"--config={config}"), layout.STATE)


def kubelet() -> Daemon:
    """Return kubelet; containerd's socket has to exist when it starts."""
    argv = (
        str(gotools.path("kubelet")),
        f"--config={layout.CONFIG / 'kubelet.json'}",
        f"--kubeconfig={layout.CONFIG / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.KUBELET_ROOT}",
        f"--cert-dir={layout.KUBELET_ROOT / 'pki'}",
        f"--hostname-override={layout.NODE}",
        f"--node-ip={layout.NODE_ADDRESS}",
    )
    return Daemon("kubelet", argv, layout.STATE)


def kube_proxy() -> Daemon:
    """Return kube-proxy, which writes the packet filter's rules for Services."""
    argv = (str(gotools.path("kube-proxy")), f"--config={layout.CONFIG / 'kube-proxy.json'}")
    return Daemon("kube-proxy", argv, layout.STATE)


def _kubelet(plane: ControlPlane, serving: Certificate) -> dict[str, Any]:
    authority = str(plane.authority.own.certificate)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.NODE_ADDRESS,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": authority}},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [layout.DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
        "evictionHard": {
            "imagefs.available": "0%",
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "localStorageCapacityIsolation": False,
        "nodeStatusUpdateFrequency": "5s",
        "oomScoreAdj": 0,
        "podLogsDir": str(layout.STATE / "logs" / "pods"),
        "readOnlyPort": 0,
        "resolvConf": str(layout.CONFIG / "resolv.conf"),
        "serializeImagePulls": False,
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "volumePluginDir": str(layout.KUBELET_ROOT / "plugins"),
    }


def _kube_proxy() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.CONFIG / "kube-proxy.kubeconfig")},
        "clusterCIDR": layout.PODS,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": layout.NODE,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "iptables",
        "nodePortAddresses": [f"{layout.NODE_ADDRESS}/32"],
        "oomScoreAdj": 0,
    }


def _write_json(name: str, content: dict[str, Any]) -> None:
    write(layout.CONFIG / name, json.dumps(content, indent=2))
