"""`--check`: serve an archive for as long as its samples take, and tell how each was answered.

A sample is a file ``samples/NAME.json`` of the archive, in the format of a ModelDeployment's smoke
test: ``{"request": any, "expected": any, "tolerance": number}``. ``request`` is sent as JSON;
without ``expected`` any answer below 300 will do. Numbers are equal where they differ by at most
``tolerance``, or by that share of the expected one where it is above 1.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from slipway_server.errors import ArchiveError
from slipway_server.serving import Server

FAILED = 1
"""Exit code where a sample was not answered as it should be."""
_SHOWN = 2000
"""How many characters of an answer are shown."""
_PATIENCE_SECONDS = 0.05
"""How often it is asked whether the workers are ready."""


@dataclass(frozen=True)
class Sample:
    """A request, and what its answer has to be; ``is_judged`` is False where any will do."""

    name: str
    request: Any
    is_judged: bool = False
    expected: Any = None
    tolerance: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "Sample":
        """Read a file; raises ``ArchiveError`` where it is no sample."""
        try:
            told = json.loads(path.read_bytes())
            tolerance = float(told.get("tolerance", 0))
            return cls(
                path.stem, told["request"], "expected" in told, told.get("expected"), tolerance
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArchiveError(f"samples/{path.name} is no sample: {error!r:.200}.") from None


def samples(folder: Path) -> list[Sample]:
    """Return the samples of an unpacked archive, by their names."""
    return [Sample.read(path) for path in sorted(folder.glob("samples/*.json")) if path.is_file()]


def differences(told: Any, expected: Any, tolerance: float, where: str = "$") -> Iterator[str]:
    """Yield where two JSON values differ, by the path of each place."""
    if _is_number(told) and _is_number(expected):
        if not abs(told - expected) <= tolerance * max(1.0, abs(expected)):
            yield f"{where}: {told!r}, not {expected!r} (tolerance {tolerance:g})"
    elif isinstance(told, dict) and isinstance(expected, dict) and told.keys() == expected.keys():
        for key, value in expected.items():
            yield from differences(told[key], value, tolerance, f"{where}.{key}")
    elif isinstance(told, list) and isinstance(expected, list) and len(told) == len(expected):
        for index, value in enumerate(expected):
            yield from differences(told[index], value, tolerance, f"{where}[{index}]")
    elif type(told) is not type(expected) or told != expected:
        yield f"{where}: {told!r:.200}, not {expected!r:.200}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


async def check(server: Server, folder: Path) -> int:
    """Answer the archive's samples, tell each answer, and return the exit code."""
    asked = samples(folder)
    serving = asyncio.create_task(server.run())
    try:
        if not await _ready(server, serving):
            return await serving
        return _verdict([await _ask(server, sample) for sample in asked])
    finally:
        server.stop()
        await asyncio.gather(serving, return_exceptions=True)


async def _ready(server: Server, serving: "asyncio.Task[int]") -> bool:
    while not server.is_ready:
        if serving.done():
            return False
        await asyncio.sleep(_PATIENCE_SECONDS)
    return True


async def _ask(server: Server, sample: Sample) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url, json=sample.request) as answer,
    ):
        text = (await answer.read()).decode(errors="replace")
    wrong = list(_wrong(sample, answer.status, text))
    kind = answer.headers.get("content-type", "no content type")
    _say([f"{sample.name}: {answer.status}, {kind}", text[:_SHOWN], *wrong])
    return not wrong


def _wrong(sample: Sample, status: int, text: str) -> Iterator[str]:
    if status >= 300:
        yield f"  not answered: {status}"
    elif sample.is_judged:
        try:
            told = json.loads(text)
        except ValueError:
            told = text
        for difference in differences(told, sample.expected, sample.tolerance):
            yield f"  {difference}"


def _verdict(passed: list[bool]) -> int:
    if not passed:
        _say(["The model loads. The archive has no samples: add files samples/NAME.json to it."])
    else:
        _say([f"{sum(passed)} of {len(passed)} samples are answered as they should be."])
    return 0 if all(passed) else FAILED


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
