"""The real TorchServe in the server image, with all archives at once."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from dev.images import buildah, product
from tests.harness.ports import free_port

START_SECONDS = 420.0


@contextlib.contextmanager
def serving(folder: Path, archives: list[Path]) -> Iterator[str]:
    """Serve archives that lie in a folder; yield the address."""
    image = product.images()["server"]
    if not buildah.exists(image.reference):
        with buildah.alone():
            image.ensure()
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
    )
    with (
        buildah.container(image.reference, folder) as enter,
        (folder / "torchserve.log").open("wb") as log,
    ):
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
        process = subprocess.Popen(list(command), stdout=log, stderr=log)
        try:
            for archive in archives:
                _wait(process, f"http://127.0.0.1:{management}/models/{archive.stem}")
            yield f"http://127.0.0.1:{inference}"
        finally:
            process.terminate()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
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
    raise AssertionError(f"{url} is not ready")
