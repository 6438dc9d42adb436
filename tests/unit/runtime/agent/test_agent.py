import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import slipway_runtime
from slipway_runtime.control import SOCKET_NAME, UploadError, request_upload
from slipway_runtime.reporting import progress
from tests.harness.ports import free_port
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.runtime.conftest import stop

URI = "s3://slipway/outputs/ns/net/uid"
MEMORY_LIMIT_MIB = 40
"""The idle sidecar has about 21 MiB; the store's libraries alone would add 60."""


class Agent:
    """The sidecar as a process of its own."""

    def __init__(self, folder: Path, output: Path, **env: str) -> None:
        self.folder, self.run_dir = folder, output.parent / "run"
        self.run_dir.mkdir()
        self.port = free_port()
        own = {
            "SLIPWAY_AGENT_DIR": str(folder),
            "SLIPWAY_RUN_DIR": str(self.run_dir),
            "SLIPWAY_OUTPUT_DIR": str(output),
            "SLIPWAY_METRICS_PORT": str(self.port),
        }
        command = [sys.executable, "-m", "slipway_pods.agent.agent"]
        self.process = subprocess.Popen(command, env={**os.environ, **own, **env}, text=True)
        wait_for((folder / "ready").exists, 120, "the agent is ready")

    def metrics(self) -> dict[str, float]:
        text = self.get("/metrics")
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return str(answer.read().decode())


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "model.pt").write_text("weights")
    return folder


@pytest.fixture
def agent(s3: S3Server, short_dir: Path, output: Path) -> Iterator[Agent]:
    started = Agent(short_dir, output, SLIPWAY_OUTPUT_URI=URI)
    yield started
    started.process.kill()
    started.process.wait()


def test_it_writes_nothing_where_the_script_writes(agent: Agent) -> None:
    assert list(agent.run_dir.iterdir()) == []


def test_another_user_of_its_group_reaches_its_socket_and_no_other(agent: Agent) -> None:
    assert stat.S_IMODE((agent.folder / SOCKET_NAME).stat().st_mode) == 0o660


def test_in_a_pod_of_the_release_before_all_lies_in_the_run_folder(
    output: Path, short_dir: Path
) -> None:
    started = Agent(short_dir, output, SLIPWAY_AGENT_DIR="", SLIPWAY_RUN_DIR=str(short_dir))
    assert request_upload(short_dir / SOCKET_NAME) is None
    assert stop(started.process) == 0


def test_the_launcher_that_it_hands_out_runs_alone(agent: Agent, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "SLIPWAY_TERMINATION_LOG": str(tmp_path / "word")}
    command = [sys.executable, "-I", "-S", str(agent.folder / "launch.py"), "--", "x"]
    assert subprocess.run(command, env=env, check=False).returncode == 1
    assert json.loads((tmp_path / "word").read_text())["reason"] == "InvalidSettings"


def test_it_hands_out_the_whole_package_and_nothing_else(agent: Agent) -> None:
    package = Path(slipway_runtime.__file__).parent
    given = agent.folder / "lib" / package.name
    own = {path.relative_to(package) for path in package.rglob("*.py")}
    assert {path.relative_to(given) for path in given.rglob("*") if path.is_file()} == own


def test_what_it_hands_out_needs_the_standard_library_only(agent: Agent) -> None:
    # These three are classes of a framework's, and imported where it is.
    library = agent.folder / "lib"
    paths = (path.relative_to(library).with_suffix("") for path in library.rglob("*.py"))
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)
    of_frameworks = {"lightning", "transformers", "pruning.mask"}
    script = "import sys; sys.path.insert(0, sys.argv[1]); import " + ", ".join(
        name for name in names if name.removeprefix("slipway_runtime.") not in of_frameworks
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", script, str(library)], check=True)


def reported(metrics: dict[str, float]) -> dict[str, Any]:
    """Return a script's report of step 5 of 20."""
    found = progress.document(5, 20, 1, metrics, progress.Notes())
    assert found is not None
    return found


def test_the_scripts_progress_is_served_as_metrics(agent: Agent) -> None:
    assert agent.metrics() == {"slipway_store_up": 1.0}
    report = reported({"loss": 0.25, 'odd"name\n': float("nan")})
    progress.write(agent.run_dir, report)
    found = agent.metrics()
    assert found["slipway_training_step"] == 5
    assert found["slipway_training_total_steps"] == 20
    assert found["slipway_training_epoch"] == 1
    assert found['slipway_training_metric{name="loss"}'] == 0.25
    assert found["slipway_training_last_report_timestamp_seconds"] == report["time"]
    assert "NaN" in agent.get("/metrics")


def test_pace_gpu_and_the_reason_to_stop_are_served_as_metrics(agent: Agent) -> None:
    pace = {"stepsPerSecond": 2.5, "samplesPerSecond": 80.0, "etaSeconds": 6.0}
    gpu = {"memoryUsedBytes": 20, "memoryTotalBytes": 80, "utilization": 0.5}
    report = {**reported({}), **pace, "gpu": gpu, "stopReason": "Patience"}
    progress.write(agent.run_dir, report)
    found = agent.metrics()
    assert found["slipway_training_steps_per_second"] == 2.5
    assert found["slipway_training_samples_per_second"] == 80.0
    assert found["slipway_training_eta_seconds"] == 6.0
    assert found["slipway_training_gpu_memory_used_bytes"] == 20
    assert found["slipway_training_gpu_utilization_ratio"] == 0.5
    assert found['slipway_training_stop{reason="Patience"}'] == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"step": "x", "metrics": {"a": []}}', "{}"])
def test_a_broken_report_breaks_no_scrape(agent: Agent, text: str) -> None:
    (agent.run_dir / "progress.json").write_text(text)
    assert agent.metrics() == {"slipway_store_up": 1.0}


def test_nothing_but_metrics_is_served(agent: Agent) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        agent.get("/")


def test_it_stores_the_output_when_it_is_asked_to(agent: Agent, s3: S3Server) -> None:
    stored = request_upload(agent.folder / SOCKET_NAME)
    assert stored == {"uri": URI, "files": 1, "sizeBytes": 7}
    assert s3.keys("outputs/ns/net/uid") == {"_manifest.json", "model.pt"}


def test_it_keeps_small_even_after_an_upload(agent: Agent) -> None:
    request_upload(agent.folder / SOCKET_NAME)
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    assert int(line.split()[1]) < MEMORY_LIMIT_MIB * 1024


def test_it_tells_why_an_output_is_not_stored(agent: Agent, output: Path) -> None:
    (output / os.fsdecode(b"bad\xff")).write_text("x")
    with pytest.raises(UploadError, match="write a name in UTF-8"):
        request_upload(agent.folder / SOCKET_NAME)


def test_sigterm_ends_it_even_while_it_waits_for_the_store(
    agent: Agent, s3: S3Server, capfd: pytest.CaptureFixture[str]
) -> None:
    s3.stop()
    trainer = subprocess.Popen(
        [sys.executable, "-c", f"from slipway_runtime.control import *; "
         f"request_upload(Path({str(agent.folder / SOCKET_NAME)!r}))"],
    )  # fmt: skip
    told: list[str] = []

    def waits() -> bool:
        told.append(capfd.readouterr().err)
        return "Another try follows" in "".join(told)

    wait_for(waits, 60, "the upload waits for the store")
    assert stop(agent.process) == 0
    trainer.kill()
    trainer.wait()


def test_a_store_that_is_down_shows_in_the_metrics(
    s3: S3Server, short_dir: Path, output: Path
) -> None:
    s3.stop()
    agent = Agent(short_dir, output, SLIPWAY_OUTPUT_URI=URI)
    assert agent.metrics()["slipway_store_up"] == 0
    assert stop(agent.process) == 0


def test_without_a_store_the_upload_is_done_at_once(short_dir: Path, output: Path) -> None:
    agent = Agent(short_dir, output, SLIPWAY_OUTPUT_URI="")
    assert request_upload(short_dir / SOCKET_NAME) is None
    assert agent.metrics() == {}
    assert stop(agent.process) == 0


def test_the_keeper_of_checkpoints_lives_as_long_as_the_sidecar(
    s3: S3Server, short_dir: Path, output: Path
) -> None:
    folders = {"SLIPWAY_CHECKPOINT_DIR": output, "SLIPWAY_RESTORE_DIR": short_dir / "in"}
    (short_dir / "in").mkdir()
    env = {**{name: str(path) for name, path in folders.items()}, "SLIPWAY_JOB_UID": "ab12"}
    uri = "s3://slipway/checkpoints/ns/net/uid"
    agent = Agent(short_dir, output, SLIPWAY_OUTPUT_URI=URI, SLIPWAY_CHECKPOINT_URI=uri, **env)
    wait_for((short_dir / "checkpoint.sock").exists, 120, "the keeper answers")
    ledger = {"step": 7, "time": 1.8e9, "seconds": 2.5, "sizeBytes": 10}
    (short_dir / "in" / "ledger.json").write_text(json.dumps({"committed": ledger}))
    found = agent.metrics()
    assert found["slipway_training_last_checkpoint_step"] == 7
    assert found["slipway_training_checkpoint_duration_seconds"] == 2.5
    assert stop(agent.process) == 0
