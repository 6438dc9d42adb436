"""Make source-configmap.yaml from the source files beside this one: ``python3 src/pack.py``."""

import sys
from pathlib import Path

SOURCES = ("handler.py", "model.py", "train.py")
HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "source-configmap.yaml"
HEAD = """\
# Made from src/ by src/pack.py: change the files there.
apiVersion: v1
kind: ConfigMap
metadata:
  name: diabetes-source
data:
"""


def packed() -> str:
    """Return the ConfigMap as YAML, each file as a literal block."""
    parts = [HEAD]
    for name in SOURCES:
        lines = (HERE / name).read_text(encoding="utf-8").splitlines()
        parts += [f"  {name}: |\n", *(f"    {line}".rstrip() + "\n" for line in lines)]
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(packed(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} is made from {', '.join(SOURCES)}\n")
