"""The servers that are compared, each started in an image with torch."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import environment, paths
from dev.images import buildah, product
from tests.bench.servers.processes import of_server
from tests.cluster.attack import Target
from tests.harness.ports import free_ports
from tests.harness.trainer import Enter
from tests.harness.trees import end_tree
from tests.unit.server.conftest import write_archive

PROGRAMS = Path(__file__).parent / "programs"
ROW = [[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]]
HANDLER = "from programs.handler import Handler\n\n\nclass Bench(Handler): ...\n"
PYTHON = "/opt/venv/bin/python"
OTHERS = ("litserve==0.2.19", "kserve==0.21.0")
"""Packages of the servers that no image of ours has; they are kept in the cache."""
START_SECONDS = 300.0


@dataclass(frozen=True)
class Setup:
    """What is served, and how: hidden layers, workers, requests of a batch, its delay in ms."""

    network: str
    workers: int = 1
    batch: int = 1
    delay: int = 5
    threads: int = 1


@dataclass(frozen=True)
class Contestant:
    """A server that runs: its process, what it is asked, and the seconds to its first answer."""

    process: "subprocess.Popen[bytes]"
    target: Target
    seconds: float

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return of_server(self.process.pid)


class Arena:
    """A folder that both images see, with archives and programs, and ``site``, others' packages."""

    def __init__(self, root: Path, site: Path, enter: Mapping[str, Enter]) -> None:
        self.root = root
        self.site = site
        self._enter = enter
        self._count = 0

    @contextlib.contextmanager
    def running(self, name: str, setup: Setup) -> Iterator[Contestant]:
        """Start a server, and end it with the block."""
        self._count += 1
        folder = self.root / f"{self._count}"
        folder.mkdir()
        ports = free_ports(5)
        image, command, target = STARTS[name](self, folder, ports, setup)
        variables = ["env", "HOME=/tmp", f"OMP_NUM_THREADS={setup.threads}"]
        words = self._enter[image]([*variables, f"NETWORK={setup.network}", *command])
        with (folder / "log").open("wb") as log:
            begun = time.monotonic()
            process = subprocess.Popen(list(words), stdout=log, stderr=log)
        try:
            _wait(process, target, folder / "log")
            yield Contestant(process, target, time.monotonic() - begun)
        finally:
            end_tree(process)

    def archive(self, folder: Path, setup: Setup) -> Path:
        """Write the archive of a setup's network."""
        names = ("__init__.py", "handler.py", "network.py")
        files = {f"programs/{name}": (PROGRAMS / name).read_text() for name in names}
        files["handler.py"] = HANDLER
        files["mc.yaml"] = (
            f"minWorkers: {setup.workers}\nmaxWorkers: {setup.workers}\n"
            f"batchSize: {setup.batch}\nmaxBatchDelay: {setup.delay}\njobQueueSize: 1000\n"
        )
        return write_archive(folder / "bench.mar", files, modelName="bench", configFile="mc.yaml")


Start = tuple[str, Sequence[str], Target]
"""The image, the command line in it, and what is asked."""


def _torchserve(arena: Arena, folder: Path, ports: Sequence[int], setup: Setup) -> Start:
    arena.archive(folder, setup)
    config = folder / "config.properties"
    names = ("inference", "management", "metrics")
    addresses = [f"{n}_address=http://127.0.0.1:{p}" for n, p in zip(names, ports, strict=False)]
    settings = [
        *addresses,
        f"grpc_inference_port={ports[3]}",
        f"grpc_management_port={ports[4]}",
        "disable_token_authorization=true",
        "disable_system_metrics=true",
        "model_metrics_auto_detect=true",
        "metrics_mode=prometheus",
        "load_models=bench.mar",
    ]
    config.write_text("\n".join(settings))
    command = ["/opt/slipway/torchserve", "-f", str(config), "-s", str(folder), "-ncs"]
    places = [f"{name}={folder}" for name in ("TEMP", "LOG_LOCATION", "METRICS_LOCATION")]
    url = f"http://127.0.0.1:{ports[0]}/predictions/bench"
    return "server", [*places, *command], Target(url, ROW)


def _python(arena: Arena, folder: Path, ports: Sequence[int], setup: Setup) -> Start:
    archive = arena.archive(folder, setup)
    path = f"PYTHONPATH={arena.root}/python/src:{arena.root}/python/handlers"
    names = ("--port", "--management-port", "--metrics-port")
    doors = [word for pair in zip(names, map(str, ports), strict=False) for word in pair]
    command = [path, PYTHON, "-m", "slipway_server", *doors, str(archive)]
    return "python", command, Target(f"http://127.0.0.1:{ports[0]}/predictions/bench", ROW)


def _litserve(arena: Arena, _folder: Path, ports: Sequence[int], _setup: Setup) -> Start:
    command = [f"PYTHONPATH={arena.site}:{arena.root}", PYTHON, "-m", "programs.lit"]
    return "python", [*command, str(ports[0])], Target(f"http://127.0.0.1:{ports[0]}/predict", ROW)


def _kserve(arena: Arena, _folder: Path, ports: Sequence[int], _setup: Setup) -> Start:
    command = [f"PYTHONPATH={arena.site}:{arena.root}", PYTHON, "-m", "programs.kserver"]
    url = f"http://127.0.0.1:{ports[0]}/v1/models/bench:predict"
    return "python", [*command, str(ports[0])], Target(url, {"instances": ROW})


STARTS = {
    "TorchServe": _torchserve,
    "Python": _python,
    "KServe": _kserve,
    "LitServe": _litserve,
}


def _wait(process: "subprocess.Popen[bytes]", target: Target, log: Path) -> None:
    """Wait for the first answer."""
    body: Any = json.dumps(target.body).encode()
    asked = urllib.request.Request(target.url, body, {"content-type": "application/json"})
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()
            return
        time.sleep(0.01)
    raise RuntimeError(f"{target.url} does not answer: {log.read_text(errors='replace')[-3000:]}")


@contextlib.contextmanager
def arena() -> Iterator[Arena]:
    """Yield a place for servers; what it needs of packages is installed into the cache once."""
    root = paths.cache() / "bench"
    shutil.rmtree(root / "run", ignore_errors=True)
    (root / "run").mkdir(parents=True)
    sources = paths.REPOSITORY / "images" / "python"
    for name in ("src", "handlers"):
        shutil.copytree(sources / name, root / "run" / "python" / name)
    shutil.copytree(PROGRAMS, root / "run" / "programs")
    with contextlib.ExitStack() as stack:
        enter = {
            image: stack.enter_context(
                buildah.container(product.ensure_archives(image).reference, root)
            )
            for image in ("server", "python")
        }
        yield Arena(root / "run", _site(root), enter)


def _site(root: Path) -> Path:
    """Return the folder with the other servers' packages."""
    site = root / "-".join(word.replace("==", "-") for word in OTHERS)
    if not site.exists():
        words = ("pip", "install", "--no-config", "--quiet", "--python", sys.executable)
        unfinished = site.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(environment.uv()), *words, "--target", str(unfinished), *OTHERS]
        env = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        subprocess.run(command, check=True, env=env)
        unfinished.rename(site)
    return site
