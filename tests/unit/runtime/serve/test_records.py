"""A record of a worker's log is one line, and lines again where Java has it."""

import io
import json
import logging
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.serve.worker import records

LOG_CONFIG = Path(__file__).parents[4] / "images" / "server" / "log4j2.xml"
SOURCE = """
public class Says {
  public static void main(String[] words) {
    org.slf4j.LoggerFactory.getLogger("MODEL_LOG").info(words[0]);
  }
}
"""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the root logger writes as in a worker of TorchServe."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    monkeypatch.setattr(root, "handlers", [handler])
    return stream


def test_a_traceback_is_one_line(said: io.StringIO) -> None:
    records.install()
    records.install()
    try:
        raise ValueError("no such flower")
    except ValueError:
        logging.getLogger("ts.service").warning("Invoking failed.", exc_info=True)
    (line,) = said.getvalue().splitlines()[:1]
    assert said.getvalue().count("\n") == 1
    first, *_, last = said.getvalue().rstrip("\n").split(records.LINE_END)
    assert line.startswith("Invoking failed.")
    assert (first, last) == ("Invoking failed.", "ValueError: no such flower")


@given(st.text())
def test_no_text_makes_two_records(text: str) -> None:
    record = logging.LogRecord("m", logging.INFO, "f", 1, text, None, None)
    made = records.OneLine(logging.Formatter("%(message)s")).format(record)
    assert not set(made) & set("\n\r\x0b\x0c\x1c\x1d\x85\u2028\u2029")
    assert made.split(records.LINE_END) == (text.splitlines() or [""])


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java, as the server image has it")
def test_the_servers_log_has_the_lines_in_one_record(tmp_path: Path) -> None:
    (tmp_path / "Says.java").write_text(SOURCE)
    jars = metadata.distribution("torchserve").locate_file("ts/frontend/*")
    done = subprocess.run(
        [
            *("java", f"-Dlog4j.configurationFile=file://{LOG_CONFIG}", "-cp", str(jars)),
            *(str(tmp_path / "Says.java"), records.LINE_END.join(["one", "two"])),
        ],
        env={**os.environ, "LOG_LOCATION": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1])["message"] == "one\ntwo"
    assert (tmp_path / "model.log").read_text() == "one\ntwo\n"
