"""Settings of this machine that a node changes: noted before, put back after."""

import json
import shutil
from pathlib import Path

from dev.cluster import layout
from dev.errors import DevError
from dev.shell import run, write

SYSCTLS = tuple(
    Path("/proc/sys") / name
    for name in (
        "kernel/keys/root_maxbytes",
        "kernel/keys/root_maxkeys",
        "kernel/panic",
        "kernel/panic_on_oops",
        "net/ipv4/conf/all/route_localnet",
        "net/ipv4/ip_forward",
        "net/ipv4/vs/conntrack",
        "net/netfilter/nf_conntrack_max",
        "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
        "net/netfilter/nf_conntrack_tcp_timeout_established",
        "vm/overcommit_memory",
        "vm/panic_on_oom",
    )
)
FOLDERS = tuple(
    map(
        Path,
        (
            "/run/containerd",
            "/var/lib/cni",
            "/var/lib/kubelet",
            "/var/log/containers",
        ),
    )
)
"""Folders that containerd, kubelet or CNI make at fixed places, whatever their settings."""
NOTES = layout.STATE / "run" / "host.json"
ROUTES = {
    layout.PODS: ("unreachable", layout.PODS),
    layout.SERVICES: (layout.SERVICES, "dev", "lo", "src", layout.NODE_ADDRESS),
}
"""Where packets go whose pod is gone, or whose Service kube-proxy does not know: nowhere.

Without these they would leave this machine by its default route, and whoever answers there would be
taken for the pod. A pod that lives has a route of its own; a Service's address is replaced by a
pod's after the route was chosen, and packets that keep it are dropped on the loopback interface.
"""


def prepare() -> None:
    """Note the settings as they are, then turn forwarding on, take the address and the routes."""
    if not NOTES.exists():
        if has_address():
            raise DevError(
                f"Another cluster has this machine's {layout.NODE_ADDRESS}: end it first."
            )
        write(NOTES, json.dumps({"sysctls": _sysctls(), "absent": _absent()}, indent=2))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    if not has_address():
        run("ip", "address", "add", f"{layout.NODE_ADDRESS}/32", "dev", "lo")
    for route in ROUTES.values():
        run("ip", "route", "replace", *route)


def has_address() -> bool:
    """Whether the node's address is on the loopback interface."""
    return f"|-- {layout.NODE_ADDRESS}\n" in Path("/proc/net/fib_trie").read_text()


def routes() -> list[str]:
    """Return the ranges of addresses whose packets are kept here."""
    if not shutil.which("ip"):
        return []
    there = {route["dst"] for route in json.loads(run("ip", "-json", "route", "show"))}
    return [addresses for addresses in ROUTES if addresses in there]


def restore() -> list[str]:
    """Put settings back and remove what was not there before; return what was done."""
    done = []
    for addresses in routes():
        run("ip", "route", "del", *ROUTES[addresses])
        done.append(f"route of {addresses}")
    if has_address():
        run("ip", "address", "del", f"{layout.NODE_ADDRESS}/32", "dev", "lo")
        done.append(f"address {layout.NODE_ADDRESS}")
    if not NOTES.exists():
        return done
    notes = json.loads(NOTES.read_text())
    now = _sysctls()
    for name, value in notes["sysctls"].items():
        if now.get(name) != value:
            Path(name).write_text(value)
            done.append(f"{name} = {value}")
    there = [folder for folder in notes["absent"] if Path(folder).exists()]
    for folder in there:
        run("rm", "-rf", "--one-file-system", folder)
    return done + there


def _sysctls() -> dict[str, str]:
    return {str(path): path.read_text().strip() for path in SYSCTLS if path.exists()}


def _absent() -> list[str]:
    return [str(folder) for folder in FOLDERS if not folder.exists()]
