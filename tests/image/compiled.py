"""``python -m tests.image.compiled``: a small network compiled and not, for docs/own-model.md."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import slipway_runtime
from dev import paths
from dev.images import buildah, product
from slipway_handlers.formats.code import ALLOWED
from tests.image.exported import PYTHON

SCRIPTS = Path(__file__).parent / "scripts"
FILES = ("compiled.py", "net.py")
PAGE = paths.REPOSITORY / "docs" / "own-model.md"
BEGIN, END = (
    "<!-- Written by `.venv/bin/python -m tests.image.compiled`. -->\n",
    "<!-- end of compiled -->",
)
HEAD = ("form", "file", "one row", "64 rows")
FORMS = {
    "eager": "`state_dict`, computed by its class",
    "program": '`format="pt2"`',
    "compiled": '`format="aoti"`',
}


def run(
    root: Path, image: str, task: str, made: str = "made"
) -> "subprocess.CompletedProcess[str]":
    """Run the script in an image, with the helper as it is in the clone; ``made`` is its folder."""
    runtime, folder = root / "runtime", root / made
    folder.mkdir(exist_ok=True)
    if not runtime.exists():
        place = Path(slipway_runtime.__file__).parent
        shutil.copytree(place, runtime / place.name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copyfile(SCRIPTS / name, root / name)
    words = ["env", "HOME=/tmp", "OMP_NUM_THREADS=1", f"{ALLOWED}=true"]
    words += [f"PYTHONPATH={runtime}", PYTHON, str(root / "compiled.py"), task, str(folder)]
    with buildah.container(image, root) as enter:
        return subprocess.run(
            enter(words), capture_output=True, text=True, check=False, timeout=900
        )


def rows(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    """Return the figures of each form that the script has printed."""
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {each["form"]: each for each in told}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the page's table."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    for name, row in found.items():
        cells = (
            FORMS[name],
            f"{row['bytes'] / 1000:,.0f} kB",
            f"{row['oneRow']:.3f} ms",
            f"{row['allRows']:.2f} ms",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Compile, measure, and write the table."""
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name:
        made = run(Path(name), product.ensure_compiler().reference, "export")
        assert made.returncode == 0, made.stderr
        text = table(rows(run(Path(name), product.ensure_stored("python").reference, "times")))
    print(text)
    before, _, others = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + others.partition(END)[2])


if __name__ == "__main__":
    main()
