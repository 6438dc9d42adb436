"""Addresses and folders of the local cluster."""

from pathlib import Path

from dev import paths
from dev.cluster.control_plane import ControlPlane

NODE = "slipway"
NODE_ADDRESS = "10.111.0.1"
"""On the loopback interface: pods and this machine reach it, nobody else does."""
PODS = "10.112.0.0/16"
POD_GATEWAY = "10.112.0.1"
SERVICES = "10.113.0.0/16"
API_SERVICE = "10.113.0.1"
DNS_SERVICE = "10.113.0.10"
GPUS = 4

STATE = paths.STATE
CONTAINERD_SOCKET = STATE / "containerd.sock"
CONTAINERD_STATE = STATE / "containerd"
KUBELET_ROOT = STATE / "kubelet"
CONFIG = STATE / "config"
CNI_CONFIG = CONFIG / "cni"
CNI_ADDRESSES = STATE / "cni"
VOLUMES = STATE / "volumes"
KUBECONFIG = STATE / "kubeconfig"
AUDIT_LOG = STATE / "logs" / "audit.log"


def containerd_root() -> Path:
    """Where images live: in the cache, so that they outlive the cluster and the clone."""
    return paths.cache() / "containerd"


def control_plane() -> ControlPlane:
    """Return the cluster's etcd and kube-apiserver."""
    return ControlPlane(
        state=STATE,
        address=NODE_ADDRESS,
        port=6443,
        etcd_port=2379,
        etcd_peer_port=2380,
        services=SERVICES,
        api_service=API_SERVICE,
    )
