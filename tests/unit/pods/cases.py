"""Overlays of a pod and the laxest level that each still needs; a real API server agrees."""

from collections.abc import Mapping
from typing import Any

from slipway.manifests import container_security, pod_security


def pod() -> dict[str, Any]:
    """Return a pod's spec as the operator makes it, restricted."""
    container = {"name": "main", "image": "main:1", "securityContext": container_security()}
    return {**pod_security(), "containers": [container], "volumes": []}


def with_context(**fields: Any) -> dict[str, Any]:
    """Return the pod with fields of its container's securityContext."""
    made = pod()
    made["containers"][0]["securityContext"] |= fields
    return made


def with_pod_context(**fields: Any) -> dict[str, Any]:
    """Return the pod with fields of its own securityContext."""
    made = pod()
    return {**made, "securityContext": {**made["securityContext"], **fields}}


def with_volume(**source: Any) -> dict[str, Any]:
    """Return the pod with a volume."""
    return {**pod(), "volumes": [{"name": "more", **source}]}


def with_container(**fields: Any) -> dict[str, Any]:
    """Return the pod with fields of its container."""
    made = pod()
    made["containers"][0] |= fields
    return made


PRIVILEGED: Mapping[str, tuple[dict[str, Any], str]] = {
    "hostNetwork": ({**pod(), "hostNetwork": True}, "hostNetwork"),
    "hostPID": ({**pod(), "hostPID": True}, "hostPID"),
    "hostIPC": ({**pod(), "hostIPC": True}, "hostIPC"),
    "hostPath": (with_volume(hostPath={"path": "/etc"}), "volumes[more].hostPath"),
    "hostPort": (
        with_container(ports=[{"containerPort": 80, "hostPort": 80}]),
        "containers[main].ports[].hostPort",
    ),
    "privileged": (
        with_context(privileged=True, allowPrivilegeEscalation=True),
        "containers[main].securityContext.privileged",
    ),
    "capability": (
        with_context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        "containers[main].securityContext.capabilities.add",
    ),
    "procMount": (
        with_context(procMount="Unmasked"),
        "containers[main].securityContext.procMount",
    ),
    "sysctl": (
        with_pod_context(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
        "securityContext.sysctls",
    ),
    "selinux type": (
        with_context(seLinuxOptions={"type": "spc_t"}),
        "containers[main].securityContext.seLinuxOptions.type",
    ),
    "selinux user": (
        with_pod_context(seLinuxOptions={"user": "root"}),
        "securityContext.seLinuxOptions.user",
    ),
    "unconfined": (
        with_context(seccompProfile={"type": "Unconfined"}),
        "containers[main].securityContext.seccompProfile.type",
    ),
    "apparmor": (
        with_pod_context(appArmorProfile={"type": "Unconfined"}),
        "securityContext.appArmorProfile.type",
    ),
    "probe": (
        with_container(livenessProbe={"httpGet": {"port": 80, "host": "10.0.0.1"}}),
        "containers[main].livenessProbe.httpGet.host",
    ),
}
"""What neither restricted nor baseline allows, with the path that a message names."""

BASELINE: Mapping[str, tuple[dict[str, Any], str]] = {
    "escalation": (
        with_context(allowPrivilegeEscalation=True),
        "containers[main].securityContext.allowPrivilegeEscalation",
    ),
    "root": (with_context(runAsUser=0), "containers[main].securityContext.runAsUser"),
    "root may": (
        with_context(runAsNonRoot=False),
        "containers[main].securityContext.runAsNonRoot",
    ),
    "pod's root": (with_pod_context(runAsUser=0), "securityContext.runAsUser"),
    "capabilities kept": (
        with_context(capabilities={"drop": ["KILL"]}),
        "containers[main].securityContext.capabilities.drop",
    ),
    "capability added": (
        with_context(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
        "containers[main].securityContext.capabilities.add",
    ),
    "nfs": (with_volume(nfs={"server": "a", "path": "/"}), "volumes[more].nfs"),
    "no seccomp": (
        {**pod(), "securityContext": {"runAsNonRoot": True}},
        "containers[main].securityContext.seccompProfile.type",
    ),
}
"""What baseline allows and restricted does not."""

RESTRICTED: Mapping[str, dict[str, Any]] = {
    "plain": pod(),
    "other user": with_context(runAsUser=2000),
    "emptyDir": with_volume(emptyDir={}),
    "secret": with_volume(secret={"secretName": "mine"}),
    "claim": with_volume(persistentVolumeClaim={"claimName": "mine"}),
    "low ports": with_context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "safe sysctl": with_pod_context(sysctls=[{"name": "kernel.shm_rmid_forced", "value": "1"}]),
    "localhost": with_context(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    "privileged false": with_context(privileged=False),
    "container_t": with_context(seLinuxOptions={"type": "container_t"}),
}
"""What restricted allows."""
