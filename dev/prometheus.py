"""A Prometheus beside the local cluster, which scrapes it as the chart says and knows its rules."""

import re
import urllib.request
from pathlib import Path

from dev import gotools, paths, release
from dev.cluster import layout, ownership
from dev.cluster.daemon import Daemon
from dev.cluster.up import is_up
from dev.errors import DevError
from dev.kubectl import Kubectl
from dev.shell import wait_until, write
from dev.steps import step

PORT = 9090
URL = f"http://127.0.0.1:{PORT}"
LISTENS = (f"127.0.0.1:{PORT}", f"{layout.NODE_ADDRESS}:{PORT}")
"""On this machine, and for the operator's pod: `dev/values.yaml` names the second one."""
INTERVAL = "2s"
"""A short run is to fill the panels: production scrapes each 30 s."""
SCRAPED = paths.REPOSITORY / "install" / "prometheus.yaml"
RULES = paths.REPOSITORY / "charts" / "slipway" / "rules"
DATA = layout.STATE / "prometheus"


def start() -> None:
    """Start Prometheus beside the local cluster, which has to be up; `down` ends it."""
    gotools.ensure(["prometheus"])
    if not is_up():
        raise DevError("There is no local cluster to scrape: run `make cluster` first.")
    with ownership.alone(), step(f"Starting Prometheus at {URL}"):
        daemon = _daemon(_configuration())
        daemon.start()
        wait_until(_ready, 30, "Readiness of Prometheus")
        daemon.check()


def _daemon(configuration: Path) -> Daemon:
    argv = (
        str(gotools.path("prometheus")),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={DATA}",
        *(f"--web.listen-address={address}" for address in LISTENS),
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
    )
    return Daemon("prometheus", argv, layout.STATE)


def _ready() -> bool:
    try:
        with urllib.request.urlopen(f"{URL}/-/ready", timeout=2):
            return True
    except OSError:
        return False


def _token() -> Path:
    """Write a token of the account that may read the operator's metrics, valid for a day."""
    system = Kubectl(layout.KUBECONFIG, release.NAMESPACE)
    token = system("create", "token", "slipway-metrics-reader", "--duration=24h")
    return write(layout.CONFIG / "prometheus.token", token.strip(), 0o600)


def _configuration() -> Path:
    """Write the configuration: the committed jobs, scraped often, through our kubeconfig."""
    jobs = SCRAPED.read_text()
    jobs = re.sub(r"scrape_interval: \S+", f"scrape_interval: {INTERVAL}", jobs)
    access = f"- role: pod\n    kubeconfig_file: {layout.KUBECONFIG}"
    jobs = jobs.replace("- role: pod", access)
    jobs = re.sub(r"credentials_file: \S+", f"credentials_file: {_token()}", jobs)
    every = f"{{scrape_interval: {INTERVAL}, evaluation_interval: {INTERVAL}}}"
    head = f"global: {every}\nrule_files: ['{RULES}/*.yaml']\n"
    return write(layout.CONFIG / "prometheus.yaml", head + jobs)
