"""Files that are written whole or not at all, and programs whose failures are told."""

from pathlib import Path

import pytest

from dev.errors import DevError
from dev.shell import digest, replacing, run, succeeds, wait_until


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_program_is_told_with_its_last_words() -> None:
    with pytest.raises(DevError, match=r"ended with 3:\nno luck"):
        run("sh", "-c", "echo no luck >&2; exit 3")


def test_a_missing_program_is_told_with_what_to_do() -> None:
    with pytest.raises(DevError, match="`no-such-program` is not there: run `make tools`"):
        run("no-such-program")
    assert not succeeds("no-such-program")


def test_waiting_ends_with_what_did_not_happen() -> None:
    with pytest.raises(DevError, match="The end did not happen within 0 s"):
        wait_until(lambda: False, 0, "The end")


def test_parts_of_a_digest_do_not_run_together() -> None:
    assert digest("ab", "c") != digest("a", "bc")
