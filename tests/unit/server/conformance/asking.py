"""Writing the archives, asking a server for their answers, and comparing these with stored ones."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from slipway_server.check import differences
from tests.unit.server.conformance.case import Asked, Case, Told
from tests.unit.server.conformance.cases import CASES
from tests.unit.server.conformance.differing import KNOWN
from tests.unit.server.conftest import write_archive

ANSWERS = Path(__file__).parent / "answers"
"""What TorchServe answered."""
TOLERANCE = 1e-5
_SKIPPED = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")


def stored(name: str) -> list[Told]:
    """Return TorchServe's answers."""
    return [Told.read(one) for one in json.loads((ANSWERS / f"{name}.json").read_text())]


def store(name: str, answers: Sequence[Told]) -> None:
    """Keep TorchServe's answers."""
    ANSWERS.mkdir(exist_ok=True)
    text = json.dumps([one.stored() for one in answers], indent=1, ensure_ascii=False)
    (ANSWERS / f"{name}.json").write_text(f"{text}\n")


def write(folder: Path, name: str, case: Case, made: Path | None = None) -> Path:
    """Write an archive; ``made`` is the folder of what `weights.py` has made."""
    files: Mapping[str, str | bytes] = {
        **case.files,
        **({"model-config.yaml": case.config} if case.config else {}),
        **{file: (made / file).read_bytes() for file in case.made if made is not None},
    }
    model = {"modelName": name, "handler": case.handler, **case.model}
    if case.config:
        model["configFile"] = "model-config.yaml"
    return write_archive(folder / f"{name}.mar", files, **model)


async def ask_all(base: str, name: str) -> list[Told]:
    """Return a server's answers to all that an archive is asked."""
    case = CASES[name]
    async with aiohttp.ClientSession(skip_auto_headers=_SKIPPED) as session:
        if case.is_at_once:
            asking = [_ask(session, base, name, asked) for asked in case.asked]
            return list(await asyncio.gather(*asking))
        return [await _ask(session, base, name, asked) for asked in case.asked]


async def _ask(session: aiohttp.ClientSession, base: str, name: str, asked: Asked) -> Told:
    url = f"{base}/{asked.door}/{asked.model or name}{asked.tail}"
    async with session.request(
        asked.method, url, data=asked.body or None, headers=asked.all_headers()
    ) as answer:
        headers = answer.headers
        body = await answer.read()
        return Told(answer.status, headers.get("content-type"), headers.get("x-extra"), body)


def compare_all(name: str, given: Sequence[Told]) -> None:
    """Assert that answers are TorchServe's, but for those that are known to differ."""
    for number, (told, expected) in enumerate(zip(given, stored(name), strict=True)):
        if (name, number) in KNOWN:
            with pytest.raises(AssertionError):
                compare(told, expected)
        else:
            compare(told, expected)


def compare(told: Told, expected: Told) -> None:
    """Assert that two answers are the same, or their numbers nearly so."""
    assert (told.status, told.kind, told.extra) == (
        expected.status,
        expected.kind,
        expected.extra,
    ), told
    if told.body == expected.body:
        return
    try:
        pair = json.loads(told.body), json.loads(expected.body)
    except ValueError:
        pair = told.body.decode(errors="replace"), expected.body.decode(errors="replace")
    assert pair[0] != pair[1], f"the same values, written otherwise: {told.body!r}"
    assert list(differences(*pair, TOLERANCE)) == []
