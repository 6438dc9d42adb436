"""model-config.yaml, from anybody: what is read, what is refused, and what handlers see of it."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_server.errors import ArchiveError
from slipway_server.model_config import REFUSED, parse
from tests.unit.server.conftest import running, write_echo

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
"""10^12 values, by references: nobody may write them out."""


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_not_served_is_refused_with_what_to_do(key: str) -> None:
    with pytest.raises(ArchiveError, match=rf"{key} is not served here: .*; .*"):
        parse(f"{key}: true\n".encode())


@pytest.mark.parametrize(
    "text",
    [
        "minWorkers: 0",
        "minWorkers: true",
        "batchSize: many",
        "maxBatchDelay: -1",
        "jobQueueSize: 99999999",
        "deviceType: tpu",
        "sequenceBatching: 1",
        "sequenceBatching: true",
        "continuousBatching: 'yes'",
        "maxNumSequence: 0",
        "sequenceMaxIdleMSec: -1",
        "[1]",
        "a: [",
        "!!python/object/apply:os.system [true]",
        "? [a]\n: b",
        "when: 2026-99-99",
        BOMB + "minWorkers: *a11",
        BOMB + "deviceType: *a11",
    ],
)
def test_a_configuration_that_says_nothing_usable_is_refused_in_a_line(text: str) -> None:
    begun = time.thread_time()
    with pytest.raises(ArchiveError) as refused:
        parse(text.encode())
    assert len(str(refused.value)) < 400
    assert time.thread_time() - begun < 10


@given(st.text(max_size=80) | st.from_regex(r"\A[a-z]+: [\[{&*!|>\-0-9a-z\]} ]+\Z"))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    with contextlib.suppress(ArchiveError):
        parse(text.encode())


async def test_handlers_see_it_as_yaml_has_it(archive: Path) -> None:
    config = "handler:\n  names: {0: cat, 1: dog}\n  since: 2026-11-29\n"
    async with running(write_echo(archive, config)) as server:
        asked = {"answer": "repr(context.model_yaml_config['handler'])"}
        assert await server.post(asked) == (
            200,
            "{'names': {0: 'cat', 1: 'dog'}, 'since': datetime.date(2026, 11, 29)}",
        )


async def test_a_configuration_that_would_fill_all_memory_is_served(archive: Path) -> None:
    async with running(write_echo(archive, BOMB)) as server:
        assert (await server.post({}))[0] == 200
