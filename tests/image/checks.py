"""Scripts of checks, which run in the trainer's image and print a word and its value for each."""

import shutil
import subprocess
from pathlib import Path

from tests.harness.trainer import Enter


def values(place: tuple[Path, Enter], script: Path) -> dict[str, str]:
    """Run a script with a folder of its own in the image; return what it printed, by the words."""
    root, enter = place
    shutil.copy(script, root / script.name)
    folder = root / script.stem
    folder.mkdir()
    told = ["PYTHONPATH=/opt/slipway/runtime", "OMP_NUM_THREADS=1", "HOME=/tmp"]
    program = ["/opt/venv/bin/python3", str(root / script.name), str(folder)]
    done = subprocess.run(
        enter(["env", *told, *program]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())
