"""Taking the cluster down: nothing of it stays running, mounted, routed or filtered."""

import json
import shutil
from collections.abc import Iterator

from dev.cluster import containers, daemon, host, layout, ownership, packetfilter
from dev.cluster.parts import daemons
from dev.errors import DevError
from dev.shell import run, succeeds
from dev.steps import say, step

CONTROL = ("kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler")
KEPT = ("logs",)


def down() -> None:
    """End the cluster, whatever state it is in, and say what was removed."""
    with ownership.alone():
        if not ownership.owned():
            say("--> The local cluster is not up")
            return
        with step("Ending the local cluster"):
            for line in _end():
                say(f"    {line}")
        if remains := _remains():
            raise DevError(f"The cluster is down, but this is left: {'; '.join(remains)}.")
        ownership.give_up()
        say(f"--> Nothing is left of it but its logs in {layout.STATE / 'logs'}")


def _end() -> Iterator[str]:
    running = daemon.all_recorded(layout.STATE)
    daemon.end(_strays(), grace=0)
    daemon.end((running[name] for name in CONTROL if name in running), grace=3)
    yield f"{containers.end_all()} processes in pods ended"
    if "containerd" in running:
        containers.forget_all()
    # What is left is etcd and kube-apiserver, whose data goes too, and containerd.
    left = daemon.all_recorded(layout.STATE)
    daemon.end((process for name, process in left.items() if name != "containerd"), grace=0)
    daemon.end((process for name, process in left.items() if name == "containerd"), grace=10)
    yield f"{', '.join(sorted(running)) or 'no process of its own'} ended"
    yield f"{containers.unmount_all()} mounts and {containers.remove_cgroups()} cgroups removed"
    for link in _links():
        succeeds("ip", "link", "delete", link)
        yield f"interface {link} removed"
    for what in packetfilter.clean():
        yield f"{what} removed"
    for what in host.restore():
        yield f"{what} put back"
    _remove_state()


def _remove_state() -> None:
    for path in layout.STATE.glob("*"):
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _remains() -> list[str]:
    """Return what the cluster has left on this machine: one phrase for each thing."""
    found = [f"process {name}" for name in daemon.all_recorded(layout.STATE)]
    found += [f"process {process.pid}" for process in _strays()]
    found += [f"mount {point}" for point in containers.mounted()]
    found += [f"interface {link}" for link in _links()]
    if host.has_address():
        found.append(f"address {layout.NODE_ADDRESS}")
    return found + [f"route of {addresses}" for addresses in host.routes()]


def _strays() -> list[daemon.Process]:
    """Return the cluster's programs that work in the state folder with no record of them there."""
    known = {process.pid for process in daemon.all_recorded(layout.STATE).values()}
    names = {each.name for each in daemons(layout.control_plane())}
    found = daemon.mentioning(layout.STATE)
    return [each for each in found if each.pid not in known and each.program in names]


def _links() -> list[str]:
    """Return the pods' network interfaces on this machine: those that hold the pods' gateway."""
    if not shutil.which("ip"):
        return []
    links = json.loads(run("ip", "-json", "address", "show", "type", "veth"))
    return [
        link["ifname"]
        for link in links
        if any(at.get("local") == layout.POD_GATEWAY for at in link.get("addr_info", []))
    ]
