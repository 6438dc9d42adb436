"""What TorchServe answered is what the Python server answers, byte for byte or to 1e-5.

TorchServe's answers lie in `answers/`. `-m long` asks the real one, and compares; with
``UPDATE_GOLDEN=1`` it writes them anew.
"""

import asyncio
import json
import os
from pathlib import Path

import aiohttp
import pytest

from slipway_server.check import differences
from tests.unit.server.conformance import torchserve
from tests.unit.server.conformance.cases import CASES, Asked, Case, Told
from tests.unit.server.conftest import connected, served, write_archive

ANSWERS = Path(__file__).parent / "answers"
DOCS = Path(__file__).parents[4] / "docs/python-server.md"
BEGIN = "<!-- conformance: made by tests/unit/server/conformance -->"
END = "<!-- end -->"
TOLERANCE = 1e-5
PLAIN = [name for name, case in CASES.items() if not case.needs_torch]
KNOWN: dict[tuple[str, int], str] = {}
"""Where the two differ, and why; docs/python-server.md tells the same."""


def stored(name: str) -> list[Told]:
    return [Told.read(one) for one in json.loads((ANSWERS / f"{name}.json").read_text())]


def write(folder: Path, name: str, case: Case) -> Path:
    files = {**case.files, **({"model-config.yaml": case.config} if case.config else {})}
    model = {"modelName": name, "handler": case.handler, **case.model}
    if case.config:
        model["configFile"] = "model-config.yaml"
    return write_archive(folder / f"{name}.mar", files, **model)


async def ask(session: aiohttp.ClientSession, base: str, name: str, asked: Asked) -> Told:
    url = f"{base}/predictions/{asked.model or name}{asked.tail}"
    async with session.request(
        asked.method, url, data=asked.body or None, headers=asked.all_headers()
    ) as answer:
        headers = answer.headers
        body = await answer.read()
        return Told(answer.status, headers.get("content-type"), headers.get("x-extra"), body)


async def ask_all(base: str, name: str) -> list[Told]:
    skipped = ("Content-Type", "User-Agent", "Accept", "Accept-Encoding")
    async with aiohttp.ClientSession(skip_auto_headers=skipped) as session:
        return [await ask(session, base, name, asked) for asked in CASES[name].asked]


def compare(told: Told, expected: Told) -> None:
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


@pytest.mark.parametrize("name", PLAIN)
async def test_the_python_server_answers_as_torchserve_did(tmp_path: Path, name: str) -> None:
    with served(write(tmp_path, name, CASES[name])) as process:
        async with connected(process) as server:
            given = await ask_all(server.url(""), name)
    for number, (told, expected) in enumerate(zip(given, stored(name), strict=True)):
        if (name, number) in KNOWN:
            with pytest.raises(AssertionError):
                compare(told, expected)
        else:
            compare(told, expected)


def table() -> str:
    """Return the docs' table of what is compared."""
    rows = ["| archive | has | requests | compared in `make test` |", "| --- | --- | --- | --- |"]
    for name, case in CASES.items():
        compared = "no: needs torch" if case.needs_torch else "yes"
        rows.append(f"| `{name}` | {case.about} | {len(case.asked)} | {compared} |")
    rows.append("")
    rows += [f"- `{name}`, request {number + 1}: {why}" for (name, number), why in KNOWN.items()]
    return "\n".join(rows)


def test_the_docs_tell_what_is_compared() -> None:
    text = DOCS.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = f"{head}{BEGIN}\n{table()}\n{END}{tail}"
    if os.environ.get("UPDATE_GOLDEN"):
        DOCS.write_text(wanted)
    assert DOCS.read_text() == wanted


@pytest.mark.long
@pytest.mark.image
def test_torchserve_answers_as_is_stored(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("torchserve")
    archives = [write(folder, name, case) for name, case in CASES.items()]
    with torchserve.serving(folder, archives) as base:
        given = {name: asyncio.run(ask_all(base, name)) for name in CASES}
    if os.environ.get("UPDATE_GOLDEN"):
        ANSWERS.mkdir(exist_ok=True)
        for name, answers in given.items():
            text = json.dumps([one.stored() for one in answers], indent=1, ensure_ascii=False)
            (ANSWERS / f"{name}.json").write_text(f"{text}\n")
    for name, answers in given.items():
        for told, expected in zip(answers, stored(name), strict=True):
            compare(told, expected)
