"""Writes what is generated from the chart and the CRDs, or checks that it is current.

- charts/slipway/files/crds/: the CRDs of crds/, as the chart carries them
- install/slipway.yaml: the whole release as one manifest for ``kubectl apply -f``
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev import gotools

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "slipway"
CHART_CRDS = CHART / "files" / "crds"
MANIFEST = ROOT / "install" / "slipway.yaml"
NAMESPACE = "slipway-system"

HEAD = f"""\
# Slipway, everything in namespace {NAMESPACE}. Generated from charts/slipway by
# `make manifests`; do not edit. Install and upgrade: kubectl apply -f slipway.yaml
# Deleting it deletes the stored models, and all TrainingJobs and ModelDeployments.
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/name: slipway
    app.kubernetes.io/part-of: slipway
    pod-security.kubernetes.io/enforce: restricted
"""
_HELM_ONLY = re.compile(
    r"^(# Source: .*| +helm\.sh/chart: .*| +\S+/managed-by: Helm)\n", re.MULTILINE
)


def crd_copies() -> dict[Path, str]:
    """Return the chart's copies of the CRDs: file -> text."""
    sources = sorted((ROOT / "crds").glob("*.yaml"))
    return {CHART_CRDS / source.name: source.read_text() for source in sources}


def render(registry: str = "") -> str:
    """Return the plain manifest, its images from ``registry`` if one is given.

    Raises ``subprocess.CalledProcessError`` where Helm refuses the chart.
    """
    gotools.ensure(["helm"])
    command = [
        *(str(gotools.path("helm")), "template", "slipway", str(CHART)),
        *("--namespace", NAMESPACE, "--kube-version", gotools.KUBERNETES_VERSION),
        *("--values", str(ROOT / "install" / "values.yaml")),
        *("--set-string", f"images.registry={registry}"),
    ]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return HEAD + _HELM_ONLY.sub("", text)


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Return the generated files that are missing, different or no longer wanted."""
    extra = [path for path in sorted(CHART_CRDS.glob("*")) if path not in wanted]
    return extra + [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]


def write(wanted: dict[Path, str]) -> None:
    """Make the generated files what is wanted."""
    for path in stale(wanted):
        if path not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])


def _check() -> int:
    copies = crd_copies()
    old = stale(copies) or stale({**copies, MANIFEST: render()})
    for path in old:
        print(f"{path.relative_to(ROOT)} is not current: run `make manifests`.", file=sys.stderr)
    return 1 if old else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status: 1 where a check finds something stale."""
    parser = argparse.ArgumentParser(prog="python -m install.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument("--registry", help="print a manifest whose images come from here instead")
    chosen = parser.parse_args(arguments)
    if chosen.registry:
        print(render(chosen.registry), end="")
        return 0
    if chosen.check:
        return _check()
    write(crd_copies())  # first, since the manifest is rendered from them
    write({**crd_copies(), MANIFEST: render()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
