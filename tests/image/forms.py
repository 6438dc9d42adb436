"""``python -m tests.image.forms``: the forms of the network of pictures of clothes, for docs.

It trains examples/images/fashion.yaml, exports it, has the packaging pod's own program make and
measure the candidates, and asks each of them all pictures held out.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from zipfile import ZipFile

from dev import paths
from dev.images import buildah, product
from slipway_handlers.formats.code import ALLOWED
from slipway_pods.package import built_in, mar
from slipway_pods.package.optimize import figures
from slipway_pods.package.optimize.choice import Wanted, judge
from slipway_pods.package.optimize.figures import CANDIDATES, FLOAT
from tests.image.examples import train, trainer

PAGE = paths.REPOSITORY / "docs" / "examples.md"
BEGIN, END = (
    "<!-- Written by `.venv/bin/python -m tests.image.forms`. -->\n",
    "<!-- end of forms -->",
)
SCRIPT = Path(__file__).parent / "scripts" / "fashion_forms.py"
ROWS = 1000
PYTHON = "/opt/venv/bin/python"
HEAD = ("form", "file", "processor time", "same class as float", "accuracy", "packaged for")
WORK = """
import sys
from pathlib import Path
from slipway_pods.package.optimize import work
from slipway_pods.package.samples import handed
handed.BUILT = Path(sys.argv[1])
work.main(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
"""


def trained(root: Path) -> Path:
    """Train and export the network; return the folder of its output."""
    with trainer() as (inside, enter):
        done = train(inside / "fashion", enter, "images/fashion")
        shutil.copyfile(SCRIPT, inside / "fashion" / SCRIPT.name)
        words = ["env", f"SLIPWAY_INPUTS_DIR={inside}/fashion/inputs", "HOME=/tmp"]
        words += [f"PYTHONPATH=/opt/slipway/runtime:{inside}/fashion", PYTHON]
        script = [f"{inside}/fashion/{SCRIPT.name}", "export", str(done.output), str(ROWS)]
        subprocess.run(enter([*words, *script]), check=True)
        shutil.copytree(done.output, root / "output")
        shutil.copytree(inside / "fashion" / "inputs", root / "inputs")
    return root / "output"


def measured(root: Path, output: Path) -> tuple[dict[str, figures.Measured], dict[str, float]]:
    """Return the figures of each form, and its accuracy."""
    extra, built, made = root / "extra", root / "built", root / "made"
    for folder in (extra, built, made):
        folder.mkdir()
    code = built_in.bring("image-classification", root / "files", extra)
    shutil.copyfile(output / "signature.json", extra / "signature.json")
    shutil.copyfile(output / "samples.jsonl", built / "rows.jsonl")
    contents = mar.Contents("fashion", "1.0", output / "model.pt2", code, extra=extra)
    with ZipFile(mar.build(contents, root)) as bundle:
        bundle.extractall(root / "archive")
    shutil.copyfile(SCRIPT, root / SCRIPT.name)
    image = product.ensure_stored("python").reference
    with buildah.container(image, root) as enter:
        words = ["env", "HOME=/tmp", "OMP_NUM_THREADS=1", f"{ALLOWED}=true", PYTHON]
        places = [str(each) for each in (built, root / "archive", made)]
        subprocess.run(enter([*words, "-c", WORK, *places, *CANDIDATES]), check=True)
        files = [f"{FLOAT}={output / 'model.pt2'}"]
        files += [f"{name}={figures.form(made, name)}" for name in CANDIDATES]
        ask = [str(root / SCRIPT.name), "score", str(root / "inputs" / "fashion"), *files]
        told = subprocess.run(enter([*words, *ask]), check=True, capture_output=True, text=True)
    lines = (made / figures.FILE).read_bytes()
    shares = [json.loads(line) for line in told.stdout.splitlines()]
    return figures.read(lines, CANDIDATES), {k: v for each in shares for k, v in each.items()}


def table(found: dict[str, figures.Measured], right: dict[str, float]) -> str:
    """Return the table of forms."""
    wins: dict[tuple[str, str], str] = {}
    for objective in ("Latency", "Size"):
        rows = judge(Wanted(objective, CANDIDATES, 0.02, 60), found)
        wins |= {(row.name, objective): row.verdict for row in rows}
        for row in rows:
            print(objective, row.name, row.verdict, row.message)
    lines = [f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
    for name, each in found.items():
        taken = [o for o in ("Latency", "Size") if wins[name, o] == "Packaged"]
        lines.append(_line(each, right, taken))
    return "\n".join([*lines, ""])


def _line(each: figures.Measured, right: dict[str, float], taken: list[str]) -> str:
    if isinstance(each, figures.Failed):
        return f"| `{each.name}` | - | - | - | - | - |"
    agreed = "-" if each.agreement is None else f"{each.agreement:.3f}"
    cells = (
        f"{each.size_bytes / 1000:,.0f} kB",
        f"{each.milliseconds:.2f} ms",
        agreed,
        f"{right[each.name]:.4f}",
    )
    return f"| `{each.name}` | {' | '.join(cells)} | {', '.join(taken) or '-'} |"


def main() -> None:
    """Train, measure, and write the table."""
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name:
        root = Path(name)
        text = table(*measured(root, trained(root)))
    print(text)
    page = PAGE.read_text()
    before, _, others = page.partition(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + others.partition(END)[2])


if __name__ == "__main__":
    main()
