"""``python3 -m dev COMMAND``: what the Makefile's targets call."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from dev import durations, environment, gotools, packages, prometheus
from dev.cluster.down import down
from dev.cluster.status import status
from dev.cluster.up import is_up, up
from dev.datasets import bring
from dev.demo import CURRENT, KIND, LOCAL, demo
from dev.errors import DevError
from dev.images import node, product
from dev.notes import CHANGELOG, notes
from dev.prune import prune
from dev.steps import BOARD, say


def _tools() -> None:
    """Install Debian packages and build the Go programs."""
    packages.ensure(packages.CLUSTER | packages.IMAGES)
    gotools.ensure()


def _images() -> None:
    """Build the images, and load them into the node if the cluster is up."""
    packages.ensure(packages.IMAGES)
    images = product.ensure()
    if is_up():
        node.load(image.reference for image in images.values())


def _run(chosen: argparse.Namespace) -> None:
    if chosen.command == "demo":
        demo(chosen.cluster, chosen.image_registry)
    elif chosen.command == "notes":
        sys.stdout.write(notes(chosen.version, CHANGELOG.read_text()))
    else:
        COMMANDS[chosen.command]()


def _packages() -> None:
    """Install the Debian packages that tools and images need."""
    packages.ensure(packages.CLUSTER | packages.IMAGES | packages.PYTHON)


COMMANDS: dict[str, Callable[[], None]] = {
    "packages": _packages,
    "tools": _tools,
    "env": environment.ensure,
    "lock": environment.lock,
    "images": _images,
    "data": bring.ensure_all,
    "up": up,
    "down": down,
    "status": status,
    "prometheus": prometheus.start,
    "prune": prune,
}


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m dev", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
    options = commands.add_parser("demo", help="Run the quickstart.")
    options.add_argument("--cluster", choices=(LOCAL, KIND, CURRENT), default=LOCAL)
    options.add_argument("--image-registry", default="")
    section = commands.add_parser("notes", help="Print a release's section of CHANGELOG.md.")
    section.add_argument("version", help="X.Y.Z")
    chosen = parser.parse_args(argv)
    progress = durations.load(chosen.command, time.monotonic())
    BOARD.begin(progress)
    try:
        _run(chosen)
        durations.save(chosen.command, progress)
    except DevError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("error: interrupted; run the same command again, or `make down`.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
