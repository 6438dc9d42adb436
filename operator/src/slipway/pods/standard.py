"""The Pod Security Standards, asked of a pod before its workload is made.

A user of the kinds may not be allowed to make pods, and gets them from the operator: so they are
held to the standard that the administrator allows, whatever the namespace enforces.
Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

Level = Literal["restricted", "baseline", "privileged"]
LEVELS: tuple[Level, ...] = ("restricted", "baseline", "privileged")
"""The levels, the strictest first; by the names that the label of a namespace has."""
ENFORCE = "pod-security.kubernetes.io/enforce"
"""Label by which a namespace's administrator says what its pods may ask for."""

CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What level baseline lets a container add."""
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
"""Those that concern one pod alone."""
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
"""The types of volumes that level restricted allows."""
PROFILES = ("RuntimeDefault", "Localhost")
"""Profiles of seccomp and AppArmor that confine a container."""
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
"""Prefix of the annotations that older clusters read the AppArmor profile from."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Violation:
    """What a pod may not ask for: the field's path in the pod, and what to do about it."""

    path: str
    advice: str


@dataclass(frozen=True)
class _Scope:
    """A securityContext and where it stands: the pod's, or a container's."""

    path: str
    fields: Json


Check = Callable[[Json], Iterator[Violation]]


def laxest(*levels: str | None) -> Level:
    """Return the level that allows most; names that are no level count for nothing."""
    known = [LEVELS.index(level) for level in LEVELS if level in levels]
    return LEVELS[max(known, default=0)]


def first_violation(pod: Json, level: Level, annotations: Json | None = None) -> Violation | None:
    """Return what a pod's spec asks for beyond a level; None where it keeps to the level.

    What has another shape than a pod's is a violation too.
    """
    if level == "privileged":
        return None
    checks = (*_BASELINE, *(_RESTRICTED if level == "restricted" else ()))
    try:
        found = (violation for check in checks for violation in check(pod))
        return next(found, None) or next(_apparmor_notes(annotations or {}), None)
    except (AttributeError, TypeError, KeyError):
        return Violation("", "write it as a Pod has it")


def _containers(pod: Json) -> Iterator[tuple[str, Json]]:
    for kind in ("initContainers", "containers"):
        for container in pod.get(kind) or ():
            yield f"{kind}[{container.get('name')}]", container


def _scopes(pod: Json) -> Iterator[_Scope]:
    yield _Scope("securityContext", pod.get("securityContext") or {})
    for path, container in _containers(pod):
        yield _Scope(f"{path}.securityContext", container.get("securityContext") or {})


def _host(pod: Json) -> Iterator[Violation]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield Violation(field, "remove it: pods do not share the node's namespaces")


def _host_process(pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        if (scope.fields.get("windowsOptions") or {}).get("hostProcess"):
            yield Violation(f"{scope.path}.windowsOptions.hostProcess", "remove it")


def _privileged(pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        if scope.fields.get("privileged"):
            yield Violation(f"{scope.path}.privileged", "remove it")


def _added_capabilities(allowed: frozenset[str], pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        added = (scope.fields.get("capabilities") or {}).get("add") or ()
        for name in sorted({*map(str, added)} - allowed):
            yield Violation(f"{scope.path}.capabilities.add", f"remove {name}")


def _host_paths(pod: Json) -> Iterator[Violation]:
    for volume in pod.get("volumes") or ():
        if "hostPath" in volume:
            path = f"volumes[{volume.get('name')}].hostPath"
            yield Violation(path, "use a PersistentVolumeClaim instead")


def _host_ports(pod: Json) -> Iterator[Violation]:
    for path, container in _containers(pod):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield Violation(f"{path}.ports[].hostPort", "remove it and use a Service")


def _probe_hosts(pod: Json) -> Iterator[Violation]:
    """Yield probes and hooks by which the kubelet would ask another host than the pod."""
    for path, container in _containers(pod):
        hooks = container.get("lifecycle") or {}
        asked = {
            **{name: container.get(name) for name in _PROBES},
            **{f"lifecycle.{name}": hooks.get(name) for name in ("postStart", "preStop")},
        }
        for name, handler in asked.items():
            for how in ("httpGet", "tcpSocket"):
                if ((handler or {}).get(how) or {}).get("host"):
                    yield Violation(f"{path}.{name}.{how}.host", "remove it")


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _profiles(pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        for field in ("seccompProfile", "appArmorProfile"):
            profile = scope.fields.get(field)
            if profile is not None and profile.get("type") not in PROFILES:
                yield Violation(f"{scope.path}.{field}.type", "write RuntimeDefault")


def _apparmor_notes(annotations: Json) -> Iterator[Violation]:
    for name, value in annotations.items():
        text = str(value)
        if name.startswith(APPARMOR) and not (
            text in ("", "runtime/default") or text.startswith("localhost/")
        ):
            yield Violation(f"metadata.annotations[{name}]", "write runtime/default")


def _selinux(pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        options = scope.fields.get("seLinuxOptions") or {}
        if (options.get("type") or "") not in SELINUX_TYPES:
            yield Violation(f"{scope.path}.seLinuxOptions.type", "remove it")
        for field in ("user", "role"):
            if options.get(field):
                yield Violation(f"{scope.path}.seLinuxOptions.{field}", "remove it")


def _proc_mounts(pod: Json) -> Iterator[Violation]:
    for scope in _scopes(pod):
        if scope.fields.get("procMount") not in (None, "", "Default"):
            yield Violation(f"{scope.path}.procMount", "remove it")


def _sysctls(pod: Json) -> Iterator[Violation]:
    for sysctl in (pod.get("securityContext") or {}).get("sysctls") or ():
        if sysctl.get("name") not in SYSCTLS:
            yield Violation("securityContext.sysctls", f"remove {sysctl.get('name')}")


def _volume_types(pod: Json) -> Iterator[Violation]:
    for volume in pod.get("volumes") or ():
        for kind in sorted({*volume} - VOLUMES - {"name"}):
            path = f"volumes[{volume.get('name')}].{kind}"
            yield Violation(path, "use a PersistentVolumeClaim instead")


def _escalation(pod: Json) -> Iterator[Violation]:
    for path, container in _containers(pod):
        if (container.get("securityContext") or {}).get("allowPrivilegeEscalation") is not False:
            yield Violation(f"{path}.securityContext.allowPrivilegeEscalation", "write false")


def _root(pod: Json) -> Iterator[Violation]:
    whole = (pod.get("securityContext") or {}).get("runAsNonRoot")
    for scope in _scopes(pod):
        given = scope.fields.get("runAsNonRoot", whole)
        if given is not True and scope.path != "securityContext":
            yield Violation(f"{scope.path}.runAsNonRoot", "write true")
        if scope.fields.get("runAsUser") == 0:
            yield Violation(f"{scope.path}.runAsUser", "write another user than 0")


def _confined(pod: Json) -> Iterator[Violation]:
    whole = (pod.get("securityContext") or {}).get("seccompProfile")
    for path, container in _containers(pod):
        if not ((container.get("securityContext") or {}).get("seccompProfile") or whole):
            yield Violation(f"{path}.securityContext.seccompProfile.type", "write RuntimeDefault")


def _dropped(pod: Json) -> Iterator[Violation]:
    for path, container in _containers(pod):
        fields = (container.get("securityContext") or {}).get("capabilities") or {}
        if "ALL" not in (fields.get("drop") or ()):
            yield Violation(f"{path}.securityContext.capabilities.drop", "write [ALL]")


_BASELINE: tuple[Check, ...] = (
    _host,
    _host_process,
    _privileged,
    partial(_added_capabilities, CAPABILITIES),
    _host_paths,
    _host_ports,
    _probe_hosts,
    _profiles,
    _selinux,
    _proc_mounts,
    _sysctls,
)
_RESTRICTED: tuple[Check, ...] = (
    _volume_types,
    _escalation,
    _root,
    _confined,
    _dropped,
    partial(_added_capabilities, frozenset({"NET_BIND_SERVICE"})),
)
