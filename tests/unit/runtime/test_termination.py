import json
from pathlib import Path

import pytest

from slipway_runtime.termination import (
    MAX_MESSAGE_BYTES,
    encode_message,
    list_files,
    oom_kills,
    read_tail,
    signal_name,
    write_message,
)


def test_a_message_is_json_without_what_is_not_known() -> None:
    assert json.loads(encode_message({"reason": "Completed", "signal": None})) == {
        "reason": "Completed"
    }


@pytest.mark.parametrize("text", ["x", "é", "\\", "😀"])
def test_a_message_fits_whatever_the_log_holds(text: str) -> None:
    tail = "\n".join([f"{number} {text * 390}" for number in range(20)])
    message = {"reason": "ScriptFailed", "message": "Rank 0 exited.", "logTail": tail}
    encoded = encode_message(message)
    assert len(encoded.encode()) <= MAX_MESSAGE_BYTES
    decoded = json.loads(encoded)
    assert decoded["message"] == "Rank 0 exited."
    assert tail.endswith(decoded["logTail"])


def test_a_message_with_one_endless_line_keeps_that_lines_end() -> None:
    encoded = encode_message({"reason": "ScriptFailed", "logTail": "a" * 9000 + "END"})
    assert len(encoded) <= MAX_MESSAGE_BYTES
    assert json.loads(encoded)["logTail"].endswith("END")


def test_progress_and_then_the_sentence_give_way_to_the_limit() -> None:
    progress = {"metrics": {f"metric{number}": 0.123456789 for number in range(300)}}
    encoded = encode_message({"reason": "R", "message": "m" * 9000, "progress": progress})
    assert len(encoded) <= MAX_MESSAGE_BYTES
    decoded = json.loads(encoded)
    assert "progress" not in decoded
    assert decoded["message"].endswith("...")


def test_a_message_that_cannot_be_written_goes_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_TERMINATION_LOG", str(tmp_path / "missing" / "log"))
    write_message({"reason": "Completed"})
    assert '{"reason": "Completed"}' in capsys.readouterr().err


def test_the_tail_has_the_last_twenty_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = read_tail(log).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (20, "line 99980", "line 99999")


def test_the_tail_of_binary_output_is_clean_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x00\xff\xfe\x01ok\x07\n\x1b[31mred\x1b[0m\n10%\r20%\r\nlast \xe9\n")
    tail = read_tail(log)
    assert tail.splitlines()[1:4] == ["red", "10%", "20%"]
    assert "ok" in tail
    assert all(character.isprintable() or character == "\n" for character in tail)


def test_the_tail_of_no_log_is_empty(tmp_path: Path) -> None:
    assert read_tail(tmp_path / "none") == ""


def test_signals_have_their_names() -> None:
    assert signal_name(-9) == "SIGKILL"
    assert signal_name(-11) == "SIGSEGV"
    assert signal_name(1) is None
    assert signal_name(-200) == "signal 200"


def test_listing_leaves_out_what_the_kubelet_keeps_beside_the_files(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "train.py").touch()
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "train.py").symlink_to("..data/train.py")
    assert list_files(tmp_path) == "train.py"
    assert list_files(tmp_path / "nowhere") == "none"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 4\noom_kill 3\noom_group_kill 1\n"),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
    ],
)
def test_the_kernels_count_of_kills_is_read_from_cgroups_of_both_versions(
    tmp_path: Path, name: str, text: str
) -> None:
    assert oom_kills(tmp_path) == 0
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert oom_kills(tmp_path) == 3
