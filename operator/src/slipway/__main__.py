"""The command line: ``slipway run`` and ``slipway crds``."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

_LOG = logging.getLogger("slipway")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway", description="The Slipway operator.")
    commands = parser.add_subparsers(dest="command")
    run = commands.add_parser(
        "run",
        help="run the operator (the default)",
        description="Run the operator; its settings are the environment variables SLIPWAY_*.",
    )
    for one in (parser, run):
        one.add_argument(
            "--kubeconfig",
            type=Path,
            default=None,
            help="kubeconfig to use; by default $KUBECONFIG, the pod's service account, or "
            "~/.kube/config",
        )
    commands.add_parser("crds", help="print the CustomResourceDefinitions as YAML")
    return parser


def _print_crds() -> int:
    from slipway.api.crd import crd_files

    crd_files(lambda _, text: print("---", text, sep="\n", end=""))
    return 0


def _run(kubeconfig: Path | None) -> int:
    from slipway.controller.app import run
    from slipway.controller.kinds import make_kinds
    from slipway.kube.errors import KubeError
    from slipway.settings import Settings
    from slipway.telemetry.logs import set_up_logs

    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"A setting (SLIPWAY_*) is wrong: {error}\n")
        return 2
    set_up_logs(settings.log_level)
    try:
        return asyncio.run(run(settings, kubeconfig, make_kinds))
    except KubeError as error:
        _LOG.error("%s", error)
        return 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "crds":
        return _print_crds()
    return _run(arguments.kubeconfig)


if __name__ == "__main__":
    sys.exit(main())
