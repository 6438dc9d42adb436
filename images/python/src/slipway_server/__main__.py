"""`python -m slipway_server model.mar`: serve an archive, or check one."""

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from slipway_server import archive, model_config
from slipway_server.errors import ArchiveError

_LOG = logging.getLogger("slipway_server")
INVALID_ARCHIVE = 64
"""Exit code for an archive that cannot be served: trying again does not help."""
INTERRUPTED = 128 + signal.SIGINT
"""Exit code after SIGINT, as shells have it."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway-server", description=__doc__)
    parser.add_argument("archive", type=Path, help="a .mar file, or a folder that holds its files")
    parser.add_argument(
        "--check", action="store_true", help="answer the archive's samples, tell how, and end"
    )
    parser.add_argument("--name", help="name in URLs, instead of the archive's own")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port for predictions")
    parser.add_argument("--management-port", type=int, default=8081)
    parser.add_argument("--metrics-port", type=int, default=8082)
    parser.add_argument("--workers", type=int, help="instead of the archive's minWorkers, or 1")
    parser.add_argument("--batch-size", type=int, help="instead of the archive's batchSize, or 1")
    parser.add_argument("--max-batch-delay", type=int, metavar="MILLISECONDS")
    parser.add_argument("--response-timeout", type=int, metavar="SECONDS")
    parser.add_argument("--startup-timeout", type=int, metavar="SECONDS")
    parser.add_argument("--queue-size", type=int, help="requests that may wait")
    parser.add_argument("--max-request-bytes", type=int, default=6_553_500)
    parser.add_argument("--max-response-bytes", type=int, default=6_553_500)
    parser.add_argument("--drain-seconds", type=float, default=30.0)
    parser.add_argument(
        "--service-envelope", choices=["body", "json", "kserve", "kservev2"], default=""
    )
    parser.add_argument(
        "--no-sharing", action="store_true", help="have each worker load the model for itself"
    )
    parser.add_argument(
        "--gpus",
        type=_gpus,
        default=0,
        metavar="COUNT",
        help="how many GPUs the workers use in turn, or all; without it, the CPU",
    )
    return parser


def _gpus(text: str) -> int:
    """Return how many GPUs there are for workers; -1 for all that torch finds."""
    return -1 if text == "all" else int(text)


def main(argv: list[str] | None = None) -> int:
    """Serve an archive until SIGTERM (0) or SIGINT (130); return the exit code."""
    options = _arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a lower one that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection takes one
    with tempfile.TemporaryDirectory(prefix="slipway-server-") as scratch:
        try:
            return asyncio.run(_serve(options, Path(scratch)))
        except ArchiveError as error:
            sys.stderr.write(f"{error}\n")
            return INVALID_ARCHIVE


async def _serve(options: argparse.Namespace, scratch: Path) -> int:
    from slipway_server.check import check
    from slipway_server.serving import Server

    if options.check:
        options.port = options.management_port = options.metrics_port = 0
    folder, manifest = archive.place(options.archive, scratch)
    if options.name:
        manifest = replace(manifest, model_name=archive.checked_name(options.name))
    config = model_config.load(folder, manifest.config_file).with_values(
        workers=options.workers,
        batch_size=options.batch_size,
        max_batch_delay=options.max_batch_delay,
        response_timeout=options.response_timeout,
        startup_timeout=options.startup_timeout,
        queue_size=options.queue_size,
    )
    server = Server(options, folder, manifest, config)
    loop = asyncio.get_running_loop()
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, INTERRUPTED)):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, server.stop, code)
    return await (check(server, folder) if options.check else server.run())


if __name__ == "__main__":
    sys.exit(main())
