"""The operator as a process of its own, started, watched and ended by a test."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from dev import gotools
from tests.chart.rendering import render
from tests.contract.namespaces import install_kinds
from tests.harness import Kubectl, TestControlPlane, plain_http
from tests.harness.control_plane import control_plane
from tests.harness.ports import free_port
from tests.harness.waiting import wait_for

NAMESPACE = "slipway-system"
ACCOUNT = "slipway"
STORE = {"SLIPWAY_STORE_ACCESS_KEY_ID": "key", "SLIPWAY_STORE_SECRET_ACCESS_KEY": "secret"}
_END_SECONDS = 120.0
"""Generous time for a process to end on a busy machine, in seconds."""
_ACCESS = (
    *("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
)


def grant_access(plane: TestControlPlane) -> None:
    """Create the operator's namespace, account, rights and fence, as the chart has them."""
    gotools.ensure(["helm"])
    kubectl = Kubectl(plane.kubeconfig, namespace="")
    kubectl.run("create", "namespace", NAMESPACE)
    chart = render()
    kubectl.apply([found for kind in _ACCESS for found in chart.of(kind)])


@contextmanager
def plane_of_the_chart() -> Iterator[TestControlPlane]:
    """Start a control plane with the CRDs and the chart's RBAC for the block."""
    with control_plane() as plane:
        install_kinds(plane.kubectl)
        grant_access(plane)
        yield plane


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class OperatorProcess:
    """A process of ``python -m slipway run``; its log lies in ``log``."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @classmethod
    def start(
        cls, kubeconfig: Path, log: Path, settings: dict[str, str], module: str = "slipway"
    ) -> "OperatorProcess":
        """Start an operator with a kubeconfig and settings (environment variables)."""
        port = free_port()
        environment = {
            **os.environ,
            **STORE,
            "KUBECONFIG": str(kubeconfig),
            "SLIPWAY_HTTP_PORT": str(port),
            "SLIPWAY_NAMESPACE": NAMESPACE,
            "SLIPWAY_SECURE_METRICS": "false",
            **settings,
        }
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "run"],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        return cls(process, port, log)

    def get(self, path: str) -> httpx.Response | None:
        """Return the answer of its HTTP server, or None where it does not answer."""
        try:
            return plain_http.get(f"http://127.0.0.1:{self.port}{path}", timeout=60)
        except httpx.HTTPError:
            return None

    def status(self, path: str) -> int:
        """Return the status code of an answer; 0 for none."""
        answer = self.get(path)
        return answer.status_code if answer else 0

    def wait_until_ready(self, seconds: float = 180) -> None:
        """Wait until all kinds are listed."""
        wait_for(
            lambda: self.status("/readyz") == 200,
            seconds,
            "the operator is ready",
            self.log.read_text,
        )

    def wait_until_leading(self, seconds: float = 180) -> None:
        """Wait until all kinds are listed and it is the one that acts."""
        self.wait_until_ready(seconds)
        wait_for(lambda: self.leads, seconds, "the operator leads", self.log.read_text)

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples; ``name`` may go on with labels, as on the page."""
        page = self.get("/metrics")
        lines = re.findall(rf"^{re.escape(name)}.* (\S+)$", page.text if page else "", re.MULTILINE)
        return sum(float(value) for value in lines)

    @property
    def leads(self) -> bool:
        """Whether it is the one that acts."""
        return self.metric("slipway_leader") == 1

    @property
    def rests(self) -> bool:
        """Whether it answers, and has nothing to do at the moment."""
        page = self.get("/metrics")
        told = page.text.splitlines() if page else ()
        return {f"slipway_workqueue_{what} 0.0" for what in ("depth", "active")} <= {*told}

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found
        return int(found.group(1)) / 1024

    def cpu(self) -> float:
        """Return the processor time that it has used, in seconds."""
        return cpu_seconds(self.process.pid)

    def kill(self) -> None:
        """End it without a warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(_END_SECONDS)

    def end(self) -> None:
        """End it if it still runs, so that its Lease is free."""
        if self.process.poll() is None:
            self.terminate()

    def terminate(self) -> int:
        """Ask it to end, as Kubernetes does, and return its exit status."""
        self.process.terminate()
        return self.process.wait(_END_SECONDS)
