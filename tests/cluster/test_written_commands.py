"""The commands of the READMEs, run as they are written, in a fresh clone.

They install the release themselves; so these tests come last, by their name.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev import gotools, release
from dev.cluster import layout
from dev.images import node, product
from dev.shell import run
from slipway import __version__
from tests.cluster.support import ROOT
from tests.cluster.test_upgrade import remove_release
from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.alone]
SECTIONS = {
    "README.md": ("Try it", "Install"),
    "charts/slipway/README.md": (
        "Slipway's chart",
        "What the operator may do",
        "Upgrade and uninstall",
        "The same without Helm",
        "What to decide",
    ),
}
"""Where commands stand, in an order in which one may run them; a new one is run too."""
ELSEWHERE = {
    "make test": "is this very run",
    "make demo CLUSTER=kind": "needs a container engine and a registry with kind's node image",
}
"""Commands that are not run here, and why."""
REGISTRIES = (
    "docker.io/library",
    "registry.example/slipway",
    "registry.example.com/slipway",
    "registry.example.com/ml",
)
"""The registries that the READMEs name or imply: the node has our images under their names too."""
INSTALLS = re.compile(
    r"^helm install |\| kubectl apply -f -$|^kubectl apply -k |^make demo CLUSTER=current"
)
"""Commands that install the release, on a cluster that has none."""


def commands(text: str, sections: tuple[str, ...]) -> list[str]:
    """Return the commands in the indented blocks of a README's sections, whole and in order."""
    unfenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = re.split(r"^#+ (.+)$", unfenced, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    blocks = "\n".join(
        block
        for name in sections
        for block in re.findall(r"(?:^    .*\n)+", found[name], re.MULTILINE)
    )
    blocks = re.sub(r"\s*\\\n\s*", " ", blocks)
    lines = (re.sub(r"\s+#.*", "", line).strip() for line in blocks.splitlines())
    return [line for line in lines if line]


@dataclass(frozen=True)
class Clone:
    """A fresh clone, and the environment of somebody who follows its README."""

    folder: Path
    env: dict[str, str]

    def run(self, command: str) -> str:
        """Run one command as a shell does; return what it printed, fail where it fails."""
        shell = ("bash", "-euo", "pipefail", "-c", command)
        done = subprocess.run(
            shell, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def clone(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone whose commands find helm, kubectl, the cluster, and our images in its node."""
    folder, programs = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("bin")
    run("git", "clone", "--quiet", f"file://{ROOT}", folder)
    for program in ("helm", "kubectl"):
        (programs / program).symlink_to(gotools.path(program))
    env = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "KUBECONFIG": str(cluster.kubeconfig),
        "SLIPWAY_STATE": str(layout.STATE),
    }
    tags = dict(_tags(folder))
    node.load(tags.values())
    for name, image in tags.items():
        run(*node.CTR, "images", "tag", "--force", image, name)
    yield Clone(folder, env)
    run(*node.CTR, "images", "rm", *tags)
    remove_release(cluster)
    release.install_locally()


def _tags(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the READMEs' names of the images that the clone has, and the images."""
    for image in product.ensure(folder).values():
        for registry in REGISTRIES:
            yield f"{registry}/{image.name}:{__version__}", image.reference


def test_the_commands_of_the_readmes_work_as_they_are_written(
    cluster: Cluster, clone: Clone
) -> None:
    done: set[str] = set()
    for readme, sections in SECTIONS.items():
        for command in commands((clone.folder / readme).read_text(), sections):
            if command in done | ELSEWHERE.keys():
                continue
            if INSTALLS.search(command):
                remove_release(cluster)
            print(f"$ {command}\n{clone.run(command)}", flush=True)
            done.add(command)
            if INSTALLS.search(command) or "rollout restart" in command:
                for workload in ("deployment/slipway", "statefulset/slipway-store"):
                    flags = ("status", workload, "--timeout=300s")
                    cluster.system.run("rollout", *flags, timeout=320)
    assert sum(bool(INSTALLS.search(command)) for command in done) >= 4


def test_commands_are_found_in_blocks_joined_and_without_their_remarks() -> None:
    text = "# A\n\n    make it  # well\n\ntext\n\n    two \\\n      lines\n\n# B\n\n    not me\n"
    assert commands(text, ("A",)) == ["make it", "two lines"]
