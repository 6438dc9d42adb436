"""Models that `slipway.export` has written in the trainer, as archives of built-in handlers."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from slipway_handlers.formats.code import ALLOWED
from slipway_pods.package import built_in, mar
from tests.harness.ports import free_ports
from tests.harness.trainer import Enter
from tests.harness.trees import end_tree
from tests.unit.server.conformance.torchserve import serving
from tests.unit.server.conftest import doors

SCRIPTS = Path(__file__).parent / "scripts"
FILES = ("exported.py", "net.py", "texts_net.py")
PYTHON = "/opt/venv/bin/python"
START_SECONDS = 180.0


@dataclass(frozen=True)
class Made:
    """The folder of all that the script has written, and the objects that it has printed."""

    folder: Path
    said: Sequence[dict[str, Any]]

    def rows(self, name: str = "samples.jsonl") -> list[Any]:
        """Return the bodies of a file of samples."""
        lines = (self.folder / name).read_text().splitlines()
        return [json.loads(line)["body"] for line in lines]


def make(root: Path, enter: Enter) -> Made:
    """Run the script in an image, in a folder that it sees."""
    folder = root / "exported"
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(SCRIPTS / name, folder / name)
    words = ["env", "HOME=/tmp", "OMP_NUM_THREADS=1", PYTHON, folder / "exported.py", folder]
    done = subprocess.run(enter([str(w) for w in words]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return Made(folder, said)


def archive(root: Path, made: Made, name: str, handler: str, file: str) -> Path:
    """Make an archive of a file, as the packaging pod does."""
    folder = root / f"archive-{name}"
    extra = folder / "extra"
    extra.mkdir(parents=True)
    code = built_in.bring(handler, folder / "files", extra)
    beside = "vocab.txt" if handler == "text-classification" else "signature.json"
    shutil.copyfile(made.folder / beside, extra / beside)
    model_file = None if file.endswith(built_in.EXPORTED) else made.folder / "net.py"
    whole = made.folder / file
    contents = mar.Contents(name, "1.0", whole, code, model_file=model_file, extra=extra)
    return mar.build(contents, folder)


@contextlib.contextmanager
def by_python(root: Path, archives: Sequence[Path], enter: Enter) -> Iterator[dict[str, str]]:
    """Serve archives with the Python server; yields the address of each by its name."""
    with contextlib.ExitStack() as stack:
        yield {each.stem: stack.enter_context(_one(root, each, enter)) for each in archives}


@contextlib.contextmanager
def _one(root: Path, archive: Path, enter: Enter) -> Iterator[str]:
    ports, log = free_ports(3), root / f"{archive.stem}.log"
    words = ["env", "HOME=/tmp", "OMP_NUM_THREADS=1", f"{ALLOWED}=true", PYTHON, "-P"]
    words += ["-m", "slipway_server"]
    command = enter([*words, *doors(ports), "--workers", "1", str(archive)])
    with log.open("wb") as output:
        process = subprocess.Popen(list(command), stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{ports[0]}"
        _wait(lambda: httpx.get(f"{url}/ping").status_code == 200, process, log)
        yield url
    finally:
        end_tree(process)


def _wait(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if is_so():
                return
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.2)


@contextlib.contextmanager
def by_torchserve(root: Path, archives: Sequence[Path], enter: Enter) -> Iterator[dict[str, str]]:
    """Serve archives with TorchServe; yields the address of each by its name."""
    folder = root / "torchserve"
    folder.mkdir()
    copies = [Path(shutil.copy(each, folder / each.name)) for each in archives]
    allowing = partial(_allowing, enter)
    with serving(folder, copies, allowing, "") as url:
        yield {each.stem: url for each in archives}


def _allowing(enter: Enter, command: Sequence[str]) -> Sequence[str]:
    """Return a command in the image that may load a program of torch.export."""
    return enter(["env", f"{ALLOWED}=true", "OMP_NUM_THREADS=1", *command])


SERVERS = {"python": by_python, "server": by_torchserve}
"""What serves the archives, by the images that it does so in."""


def ask(url: str, name: str, body: Any) -> Any:
    """Return a model's answer."""
    told = httpx.post(f"{url}/predictions/{name}", json=body, timeout=60)
    assert told.status_code == 200, told.text
    return told.json()
