"""What TorchServe answered is what the Python server answers, byte for byte or to 1e-5.

TorchServe's answers lie in `answers/`. `-m long` asks the real one, and compares; with
``UPDATE_GOLDEN=1`` it writes them anew. Archives that need torch are asked for in `tests/image`.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_server.model_config import REFUSED
from tests.unit.server.conformance import torchserve
from tests.unit.server.conformance.asking import (
    ask_all,
    compare,
    compare_all,
    store,
    stored,
    write,
)
from tests.unit.server.conformance.case import Told
from tests.unit.server.conformance.cases import CASES, WITHOUT_TORCH
from tests.unit.server.conformance.differing import KNOWN
from tests.unit.server.conformance.of_release import OF_RELEASE
from tests.unit.server.conformance.plain import PLAIN
from tests.unit.server.conformance.stateful import STATEFUL
from tests.unit.server.conformance.with_torch import WITH_TORCH
from tests.unit.server.conftest import connected, served

DOCS = Path(__file__).parents[4] / "docs/python-server.md"
BEGIN = "<!-- conformance: made by tests/unit/server/conformance -->"
END = "<!-- end -->"
AT_ONCE = 9
"""How many archives one TorchServe serves: each takes a process that has torch."""


@pytest.mark.parametrize("name", WITHOUT_TORCH)
async def test_the_python_server_answers_as_torchserve_did(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    options = [f"--service-envelope={case.envelope}"] if case.envelope else []
    with served(write(tmp_path, name, case), *options) as process:
        async with connected(process) as server:
            compare_all(name, await ask_all(server.url(""), name))


def test_no_archive_hides_another_one_of_its_name() -> None:
    for archives in (PLAIN, STATEFUL, WITH_TORCH, OF_RELEASE):
        assert [name for name, case in archives.items() if CASES[name] is not case] == []


def table() -> str:
    """Return the docs' table of what is compared."""
    rows = ["| archive | has | requests | compared in |", "| --- | --- | --- | --- |"]
    for name, case in CASES.items():
        where = "`make test-image`" if name in WITH_TORCH else "`make test`"
        rows.append(f"| `{name}` | {case.about} | {len(case.asked)} | {where} |")
    rows += ["", "These are answered otherwise:", ""]
    rows += [f"- `{name}`, request {number + 1}: {why}" for (name, number), why in KNOWN.items()]
    rows += ["", "Of model-config.yaml, these keys are refused:", ""]
    rows += [f"- `{key}`: {why}." for key, why in REFUSED.items()]
    return "\n".join(rows)


def test_the_docs_tell_what_is_compared_and_what_differs() -> None:
    text = DOCS.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    expected = f"{head}{BEGIN}\n{table()}\n\n{END}{tail}"
    if os.environ.get("UPDATE_GOLDEN"):
        DOCS.write_text(expected)
    assert DOCS.read_text() == expected


def groups() -> Iterator[tuple[str, ...]]:
    """Yield the archives that one TorchServe serves: its envelope is for all of them."""
    for envelope in sorted({case.envelope for case in CASES.values()}):
        names = [name for name, case in CASES.items() if case.envelope == envelope]
        for begin in range(0, len(names), AT_ONCE):
            yield tuple(names[begin : begin + AT_ONCE])


@pytest.mark.long
@pytest.mark.image
@pytest.mark.parametrize("names", list(groups()), ids=lambda names: names[0])
def test_torchserve_answers_as_is_stored(
    tmp_path_factory: pytest.TempPathFactory, names: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("torchserve")
    given: dict[str, list[Told]] = {}
    with torchserve.inside(folder) as enter:
        made = torchserve.make_weights(folder, enter) if set(names) & set(WITH_TORCH) else None
        archives = [write(folder, name, CASES[name], made) for name in names]
        envelope = CASES[names[0]].envelope
        with torchserve.serving(folder, archives, enter, envelope) as base:
            given = {name: asyncio.run(ask_all(base, name)) for name in names}
    for name, answers in given.items():
        if os.environ.get("UPDATE_GOLDEN"):
            store(name, answers)
        for told, expected in zip(answers, stored(name), strict=True):
            compare(told, expected)
