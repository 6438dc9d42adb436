"""The real TorchServe, in the server image with what archives import, which serves several."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from dev.images import buildah, product
from tests.harness.ports import free_port
from tests.harness.trainer import Enter
from tests.harness.trees import end_tree
from tests.unit.server.conformance.cases import MODULES

START_SECONDS = 420.0
WEIGHTS = Path(__file__).with_name("weights.py")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[Enter]:
    """Yield what lets commands run in TorchServe's image, which sees a folder."""
    with buildah.container(product.ensure_archives("server").reference, folder) as enter:
        yield enter


def make_weights(folder: Path, enter: Enter) -> Path:
    """Make the files that archives name as made; return their folder."""
    made = folder / "made"
    made.mkdir()
    for name, text in {**MODULES, WEIGHTS.name: WEIGHTS.read_text()}.items():
        (made / name).write_text(text)
    words = ["env", "HOME=/tmp", "/opt/venv/bin/python", str(made / WEIGHTS.name), str(made)]
    done = subprocess.run(enter(words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


@contextlib.contextmanager
def serving(folder: Path, archives: list[Path], enter: Enter, envelope: str) -> Iterator[str]:
    """Serve archives that lie in a folder; yield the address."""
    inference, management, metrics = (free_port() for _ in range(3))
    config = folder / "config.properties"
    config.write_text(
        f"inference_address=http://127.0.0.1:{inference}\n"
        f"management_address=http://127.0.0.1:{management}\n"
        f"metrics_address=http://127.0.0.1:{metrics}\n"
        f"grpc_inference_port={free_port()}\ngrpc_management_port={free_port()}\n"
        "disable_token_authorization=true\ndisable_system_metrics=true\n"
        "default_workers_per_model=1\nmodel_metrics_auto_detect=true\nmetrics_mode=prometheus\n"
        f"load_models={','.join(path.name for path in archives)}\n"
        + (f"service_envelope={envelope}\n" if envelope else "")
    )
    command = enter(
        [
            "env",
            f"TEMP={folder}",
            f"LOG_LOCATION={folder}",
            f"METRICS_LOCATION={folder}",
            "HOME=/tmp",
            "/opt/slipway/torchserve",
            *("-f", str(config), "-s", str(folder), "-ncs"),
        ]
    )
    log = folder / "torchserve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(list(command), stdout=output, stderr=output)
    try:
        for archive in archives:
            _wait(process, f"http://127.0.0.1:{management}/models/{archive.stem}", log)
        yield f"http://127.0.0.1:{inference}"
    finally:
        end_tree(process)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until a model's worker is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(url, timeout=5) as told,
        ):
            if b'"READY"' in told.read():
                return
        time.sleep(0.5)
    raise AssertionError(f"{url} is not ready: {log.read_text(errors='replace')[-4000:]}")
