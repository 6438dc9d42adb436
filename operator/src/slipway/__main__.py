"""The command line: ``slipway run``, ``slipway crds`` and ``slipway fill-store-secret``."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from slipway.settings import Settings

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
    fill = commands.add_parser(
        "fill-store-secret",
        help="put random credentials into the store's Secret, if it has none",
        description="Put random credentials into a Secret of SLIPWAY_NAMESPACE that has none.",
    )
    fill.add_argument("name", help="name of the Secret, which must exist")
    return parser


def _print_crds() -> int:
    from slipway.api.crd import crd_files

    crd_files(lambda _, text: print("---", text, sep="\n", end=""))
    return 0


def _with_settings(program: "Callable[[Settings], Coroutine[Any, Any, int]]") -> int:
    """Run a program that talks to the cluster; tell in one line why it cannot."""
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
        return asyncio.run(program(settings))
    except (KubeError, OSError) as error:
        _LOG.error("%s", error.strerror if isinstance(error, OSError) else error)
        return 1


def _run(kubeconfig: Path | None) -> int:
    from slipway.controller.app import run
    from slipway.controller.kinds import make_kinds

    return _with_settings(lambda settings: run(settings, kubeconfig, make_kinds))


def _fill_store_secret(name: str) -> int:
    from slipway.kube import bootstrap

    async def fill(settings: "Settings") -> int:
        filled = await bootstrap.run(settings.namespace, name)
        _LOG.info("Secret %s %s", name, "got new credentials" if filled else "has credentials")
        return 0

    return _with_settings(fill)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "crds":
        return _print_crds()
    if arguments.command == "fill-store-secret":
        return _fill_store_secret(arguments.name)
    return _run(arguments.kubeconfig)


if __name__ == "__main__":
    sys.exit(main())
