"""The command line: ``slipway run``, ``crds``, ``fill-store-secret`` and ``self-test``."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

if TYPE_CHECKING:
    from slipway.settings import Settings

_LOG = logging.getLogger("slipway")
_INTERRUPTED = 128 + signal.SIGINT
"""Exit status of a program that Ctrl-C has ended, as shells have it."""


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
    test = commands.add_parser(
        "self-test",
        help="train and serve a tiny model, ask it, and remove all of it",
        description="Train and serve a tiny model as a user would; `helm test` runs this.",
    )
    test.add_argument("namespace", help="namespace to do it in, which the operator must serve")
    test.add_argument("--name", default="slipway-test", help="how the objects' names begin")
    test.add_argument("--timeout", type=float, default=600, help="how long it may take, in seconds")
    return parser


def _print_crds() -> int:
    from slipway.api.crd import crd_files

    crd_files(lambda _, text: print("---", text, sep="\n", end=""))
    return 0


def _with_settings(program: "Callable[[Settings], Coroutine[Any, Any, int]]") -> int:
    """Run a program that talks to the cluster; tell in one line why it cannot.

    Its event loop ends in bounded time, whatever its threads wait for. So what it fails by is told
    before that.
    """
    from slipway.controller.ending import END_SECONDS, FAILED, end_within
    from slipway.kube.errors import KubeError
    from slipway.settings import Settings
    from slipway.telemetry.logs import set_up_logs

    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"A setting (SLIPWAY_*) is wrong: {error}\n")
        return 2
    set_up_logs(settings.log_level)

    async def bounded() -> int:
        status = FAILED
        try:
            status = await program(settings)
        except (KubeError, OSError) as error:
            _LOG.error("%s", error.strerror if isinstance(error, OSError) else error)
        except Exception:  # whatever it is, it is told before the loop waits for its threads
            _LOG.exception("The program ended by an error of its own")
        finally:
            end_within(END_SECONDS, status)
        return status

    return asyncio.run(bounded())


def _run(kubeconfig: Path | None) -> int:
    from slipway.controller.app import run
    from slipway.controller.loop.kinds import make_kinds

    return _with_settings(lambda settings: run(settings, kubeconfig, make_kinds))


def _fill_store_secret(name: str) -> int:
    from slipway.kube import bootstrap

    async def fill(settings: "Settings") -> int:
        filled = await bootstrap.run(settings.namespace, name)
        _LOG.info("Secret %s %s", name, "got new credentials" if filled else "has credentials")
        return 0

    return _with_settings(fill)


def _self_test(namespace: str, name: str, timeout: float) -> int:
    from slipway.selftest.run import run

    return _with_settings(lambda _: run(namespace, name, timeout))


def _command(argv: Sequence[str] | None) -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "crds":
        return _print_crds()
    if arguments.command == "fill-store-secret":
        return _fill_store_secret(arguments.name)
    if arguments.command == "self-test":
        return _self_test(arguments.namespace, arguments.name, arguments.timeout)
    return _run(arguments.kubeconfig)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process, whatever it failed by and a thread still does."""
    from slipway.controller.ending import FAILED, leave

    try:
        status = _command(argv)
    except SystemExit as end:  # of the parser
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:  # told as Python does, which would wait for threads after that
        sys.excepthook(type(error), error, error.__traceback__)
        status = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    leave(status)


if __name__ == "__main__":
    main()
