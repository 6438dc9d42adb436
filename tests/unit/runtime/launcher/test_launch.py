import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.agent.answering import AnsweringServer, Send
from slipway_runtime.checkpoint.files import SAVED
from slipway_runtime.control import SOCKET_NAME, UploadError, request_upload
from slipway_runtime.launcher import commands, ending, launch
from slipway_runtime.launcher.run_settings import LaunchError, Settings
from slipway_runtime.termination import OWN_SIGTERM
from tests.harness.waiting import wait_for
from tests.unit.runtime.conftest import stop

OUTPUT = {"uri": "s3://slipway/outputs/ns/net/uid", "files": 1, "sizeBytes": 3}


class Pod:
    """A trainer container's folders and variables, and the launcher in it."""

    def __init__(self, folder: Path) -> None:
        names = ("run", "src", "logs", "agent", "output")
        folders = [folder / name for name in names]
        self.run_dir, self.source, self.logs, self.agent_dir, self.output = folders
        self.work = folder / "work"
        for path in folders:
            path.mkdir()
        (self.source / "train.py").touch()
        self.termination_log = folder / "termination-log"
        self.env = {
            **os.environ,
            "SLIPWAY_ENTRYPOINT": "train.py",
            "SLIPWAY_SOURCE_DIR": str(self.source),
            "SLIPWAY_WORK_DIR": str(self.work),
            "SLIPWAY_OUTPUT_DIR": str(self.output),
            "SLIPWAY_RUN_DIR": str(self.run_dir),
            "SLIPWAY_AGENT_DIR": str(self.agent_dir),
            "SLIPWAY_NODES": "2",
            "SLIPWAY_PROCESSES_PER_NODE": "1",
            "SLIPWAY_RDZV_ENDPOINT": "localhost:29400",
            "SLIPWAY_RDZV_ID": "uid",
            "SLIPWAY_LOCAL_ADDR": "localhost",
            "SLIPWAY_TERMINATION_LOG": str(self.termination_log),
            "JOB_COMPLETION_INDEX": "1",
        }

    def start(self, script: str, **env: str) -> "subprocess.Popen[str]":
        """Start the launcher with a Python script as the training command."""
        driver = Path(__file__).with_name("launcher.py")
        command = [sys.executable, str(driver), str(self.logs), sys.executable, "-c", script]
        return subprocess.Popen(command, env={**self.env, **env}, text=True)

    def run(self, script: str, **env: str) -> int:
        return self.start(script, **env).wait(timeout=120)

    def launch(self, *args: str, **env: str) -> int:
        """Run the launcher itself, as the container does."""
        command = [sys.executable, "-m", "slipway_runtime.launcher.launch", *args]
        return subprocess.run(command, env={**self.env, **env}, check=False).returncode

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.termination_log.read_text())
        return found

    def failed_rank(self, exit_code: int, **files: bytes) -> str:
        """Return a script that leaves what torchrun leaves of a failed rank 3, and fails."""
        rank = self.logs / "uid_x" / "attempt_0" / "1"
        rank.mkdir(parents=True)
        for name, content in files.items():
            (rank / f"{name}.log").write_bytes(content)
        failure = {"rank": 3, "localRank": 1, "exitCode": exit_code, "time": 1700000000}
        (self.logs / "failure.json").write_text(json.dumps(failure))
        return "import sys; sys.exit(1)"


@pytest.fixture
def pod(short_dir: Path) -> Pod:
    return Pod(short_dir)


def test_a_training_that_ends_well_says_so(pod: Pod) -> None:
    assert pod.run("pass") == 0
    assert pod.word == {"reason": "Completed", "exitCode": 0}


def test_a_failed_rank_is_told_with_its_code_and_the_end_of_its_own_log(pod: Pod) -> None:
    script = pod.failed_rank(7, stderr=b"Traceback\n" * 50 + b"ValueError: no\n", stdout=b"fine\n")
    assert pod.run(script) == 7
    word = pod.word
    assert (word["reason"], word["exitCode"], word["rank"]) == ("ScriptFailed", 7, 3)
    assert word["message"] == "Rank 3 of the training script exited with code 7."
    assert word["logTail"].splitlines()[-1] == "ValueError: no"
    assert len(word["logTail"].splitlines()) == 20
    assert word["time"] == 1700000000


def test_a_rank_that_wrote_nothing_to_stderr_is_told_with_its_stdout(pod: Pod) -> None:
    assert pod.run(pod.failed_rank(1, stderr=b"", stdout=b"it broke\n")) == 1
    assert pod.word["logTail"] == "it broke"


def test_a_rank_that_a_signal_killed_is_told_with_the_signals_name(pod: Pod) -> None:
    assert pod.run(pod.failed_rank(-11)) == 128 + 11
    word = pod.word
    assert word["signal"] == "SIGSEGV"
    assert word["message"] == "Rank 3 of the training script was killed by SIGSEGV."


def test_a_rank_that_the_kernel_killed_for_memory_is_told_what_to_raise() -> None:
    failure = {"rank": 0, "localRank": 0, "exitCode": -9}
    told = ending.describe_rank(failure, "", out_of_memory=True)
    assert (told["reason"], told["exitCode"]) == ("OutOfMemory", 137)
    assert "spec.resources.limits.memory" in told["message"]
    assert ending.describe_rank(failure, "", out_of_memory=False)["reason"] == "ScriptFailed"


def test_a_shell_whose_program_the_kernel_killed_for_memory_is_told_as_that() -> None:
    failure = {
        "rank": 0,
        "localRank": 0,
        "exitCode": 137,
        "what": "The command './run.sh' of pod 0",
    }
    told = ending.describe_rank(failure, "", out_of_memory=True)
    assert (told["reason"], told["exitCode"]) == ("OutOfMemory", 137)
    assert told["message"].startswith("The command './run.sh' of pod 0 exited with code 137: ")
    assert "spec.resources.limits.memory" in told["message"]
    assert ending.describe_rank(failure, "", out_of_memory=False)["reason"] == "ScriptFailed"


def test_a_script_that_ends_as_a_process_of_it_was_killed_for_memory_is_told_that_too() -> None:
    failure = {"rank": 0, "localRank": 0, "exitCode": 1}
    told = ending.describe_rank(failure, "DataLoader worker is killed", out_of_memory=True)
    assert (told["reason"], told["exitCode"]) == ("ScriptFailed", 1)
    assert "exited with code 1. Before that a process of it was killed" in told["message"]
    assert "spec.resources.limits.memory" in told["message"]


def test_pods_that_do_not_meet_are_no_failure_of_the_script(pod: Pod) -> None:
    failure = {"rendezvous": "RendezvousTimeoutError: "}
    (pod.logs / "failure.json").write_text(json.dumps(failure))
    assert pod.run("import sys; sys.exit(1)") == 1
    assert pod.word["reason"] == "RendezvousFailed"


def test_a_torchrun_that_dies_without_a_word_is_told_as_such(pod: Pod) -> None:
    assert pod.run("import os; os.kill(os.getpid(), 9)") == 137
    assert pod.word["reason"] == "LauncherFailed"
    assert "SIGKILL" in pod.word["message"]


def test_sigterm_is_passed_on_and_told(pod: Pod) -> None:
    script = (
        "import pathlib, signal, sys, time\n"
        f"here = pathlib.Path({str(pod.run_dir)!r})\n"
        "def stop(*_): (here / 'told').touch(); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "(here / 'up').touch()\n"
        "time.sleep(600)\n"
    )
    process = pod.start(script)
    wait_for((pod.run_dir / "up").exists, 120, "the training runs")
    told = time.time()
    assert stop(process) == 143
    assert (pod.run_dir / "told").exists()
    assert (pod.word["reason"], pod.word["signal"]) == ("Stopped", "SIGTERM")
    assert told <= pod.word["time"] <= time.time(), "to the fraction of a second"


def test_the_last_progress_is_part_of_the_first_pods_word(pod: Pod) -> None:
    (pod.run_dir / "progress.json").write_text('{"step": 5}')
    assert pod.run(pod.failed_rank(1), JOB_COMPLETION_INDEX="0") == 1
    assert pod.word["progress"] == {"step": 5}


class Sidecar:
    """Answers an upload with given events."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._events = events
        self.asked = 0

    def answer(self, request: Mapping[str, Any], send: Send) -> None:
        for event in self.events():
            send(event)

    def events(self) -> Any:
        self.asked += 1
        yield from self._events


def serve(path: Path, sidecar: Sidecar) -> AnsweringServer:
    server = AnsweringServer(path, sidecar.answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_the_first_pod_waits_for_the_upload_and_tells_where_the_output_lies(pod: Pod) -> None:
    working, done = {"event": "working", "message": "waiting"}, {"event": "done", "output": OUTPUT}
    server = serve(pod.agent_dir / SOCKET_NAME, Sidecar(working, done))
    assert pod.run("pass", JOB_COMPLETION_INDEX="0") == 0
    assert pod.word == {"reason": "Completed", "exitCode": 0, "output": OUTPUT}
    server.shutdown()


def test_the_sidecars_user_can_read_the_output_when_it_is_asked_to_store_it(pod: Pod) -> None:
    server = serve(pod.agent_dir / SOCKET_NAME, Sidecar({"event": "done", "output": OUTPUT}))
    script = (
        "import os, tempfile\n"
        "folder = tempfile.mkdtemp(prefix='set', dir=os.environ['SLIPWAY_OUTPUT_DIR'])\n"
        "os.close(tempfile.mkstemp(dir=folder)[0])\n"
    )
    assert pod.run(script, JOB_COMPLETION_INDEX="0") == 0
    (folder,) = pod.output.iterdir()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) & 0o050 == 0o050
    assert stat.S_IMODE(file.stat().st_mode) & 0o040 == 0o040
    server.shutdown()


def test_an_output_that_is_not_stored_fails_the_pod(pod: Pod) -> None:
    failed = {"event": "failed", "message": "The store denies access."}
    server = serve(pod.agent_dir / SOCKET_NAME, Sidecar(failed))
    assert pod.run("pass", JOB_COMPLETION_INDEX="0") == 1
    assert pod.word["reason"] == "OutputUploadFailed"
    assert pod.word["message"] == "The store denies access."
    server.shutdown()


class Slow(Sidecar):
    """A sidecar that stores until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.begun = folder / "storing"
        self.held = threading.Event()

    def events(self) -> Any:
        yield {"event": "working", "message": "storing"}
        self.begun.touch()
        self.held.wait(600)
        yield {"event": "done", "output": OUTPUT}


def test_an_upload_under_way_goes_on_after_sigterm(pod: Pod) -> None:
    sidecar = Slow(pod.run_dir)
    server = serve(pod.agent_dir / SOCKET_NAME, sidecar)
    process = pod.start("pass", JOB_COMPLETION_INDEX="0", SLIPWAY_GRACE_SECONDS="3600")
    wait_for(sidecar.begun.exists, 120, "the output is being stored")
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    sidecar.held.set()
    assert process.wait(timeout=120) == 0
    assert (pod.word["reason"], pod.word["output"]) == ("Completed", OUTPUT)
    server.shutdown()


def test_an_upload_that_outlasts_the_pods_time_to_stop_is_told(pod: Pod) -> None:
    sidecar = Slow(pod.run_dir)
    server = serve(pod.agent_dir / SOCKET_NAME, sidecar)
    process = pod.start("pass", JOB_COMPLETION_INDEX="0", SLIPWAY_GRACE_SECONDS="3")
    wait_for(sidecar.begun.exists, 120, "the output is being stored")
    assert stop(process) == 143
    assert pod.word["reason"] == "Stopped"
    assert "terminationGracePeriodSeconds" in pod.word["message"]
    sidecar.held.set()
    server.shutdown()


@pytest.mark.parametrize("index", ["0", "1"])
def test_what_ends_well_after_it_was_told_to_stop_has_not_finished(pod: Pod, index: str) -> None:
    script = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        f"pathlib.Path({str(pod.run_dir / 'up')!r}).touch()\n"
        "time.sleep(600)\n"
    )
    process = pod.start(script, JOB_COMPLETION_INDEX=index)
    wait_for((pod.run_dir / "up").exists, 120, "the training runs")
    assert stop(process) == 143
    assert pod.word["reason"] == "Stopped"
    assert "output" not in pod.word, "nobody asked for its upload"


def test_a_script_that_ignores_sigterm_is_killed_in_time_for_the_last_word(pod: Pod) -> None:
    script = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(pod.run_dir / 'up')!r}).touch()\n"
        "time.sleep(600)\n"
    )
    process = pod.start(script, SLIPWAY_GRACE_SECONDS="3")
    wait_for((pod.run_dir / "up").exists, 120, "the training runs")
    assert stop(process) == 143
    assert pod.word["reason"] == "Stopped"


def test_a_sidecar_that_breaks_off_is_asked_again(short_dir: Path) -> None:
    class Breaking(Sidecar):
        def events(self) -> Any:
            self.asked += 1
            yield {"event": "working", "message": "storing"}
            if self.asked > 2:
                yield {"event": "done", "output": OUTPUT}

    sidecar = Breaking()
    server = serve(short_dir / SOCKET_NAME, sidecar)
    assert request_upload(short_dir / SOCKET_NAME, pause=0.01) == OUTPUT
    assert sidecar.asked == 3
    server.shutdown()


def test_a_sidecar_that_always_breaks_off_is_given_up(short_dir: Path) -> None:
    server = serve(short_dir / SOCKET_NAME, Sidecar())
    with pytest.raises(UploadError, match="sidecar does not answer"):
        request_upload(short_dir / SOCKET_NAME, pause=0.01)
    server.shutdown()


def test_a_sidecar_that_is_not_there_is_waited_for_and_then_given_up(short_dir: Path) -> None:
    with pytest.raises(UploadError, match="not stored"):
        request_upload(short_dir / SOCKET_NAME, patience=0.1, pause=0.01)


def test_a_missing_entrypoint_is_told_with_the_files_that_are_there(pod: Pod) -> None:
    assert pod.launch(SLIPWAY_ENTRYPOINT="trian.py") == 1
    assert pod.word["reason"] == "EntrypointNotFound"
    assert "'trian.py'" in pod.word["message"]
    assert "the files there: train.py." in pod.word["message"]


def test_an_image_without_torch_is_told_as_such(pod: Pod) -> None:
    assert pod.launch() == 1
    assert pod.word["reason"] == "TorchNotFound"
    assert "spec.image" in pod.word["message"]


def test_a_missing_variable_is_named(pod: Pod) -> None:
    del pod.env["SLIPWAY_NODES"]
    assert pod.launch() == 1
    assert pod.word["message"] == "The variable 'SLIPWAY_NODES' is not set."


def test_a_name_that_never_resolves_is_a_failed_rendezvous() -> None:
    with pytest.raises(LaunchError, match=r"no-such-host\.invalid did not resolve") as told:
        launch.wait_for_name("no-such-host.invalid", 0.1)
    assert told.value.reason == "RendezvousFailed"


@pytest.mark.parametrize(("index", "host"), [("0", "true"), ("1", "false")])
def test_only_the_first_pod_hosts_the_rendezvous(pod: Pod, index: str, host: str) -> None:
    settings = Settings.from_environment({**pod.env, "JOB_COMPLETION_INDEX": index})
    command = commands.torchrun_command(settings, pod.logs, ["--epochs", "3"])
    assert any(f"is_host={host}," in part for part in command)
    assert command[-3:] == [str(pod.source / "train.py"), "--epochs", "3"]
    assert "--nnodes=2" in command


def test_the_script_finds_the_helper_after_what_the_user_put_on_the_path(pod: Pod) -> None:
    env = commands.environment(
        Settings.from_environment(pod.env), {"PYTHONPATH": "/mine", "SLIPWAY_X": "1"}
    )
    assert env["PYTHONPATH"] == f"/mine{os.pathsep}{commands.LIBRARY}"
    assert env["SLIPWAY_X"] == "1"


def test_an_interrupt_is_handled_like_sigterm(pod: Pod) -> None:
    process = pod.start(f"open({str(pod.run_dir / 'up')!r}, 'w'); import time; time.sleep(600)")
    wait_for((pod.run_dir / "up").exists, 120, "the training runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 143


def plain(pod: Pod, *command: str, **env: str) -> int:
    """Launch a plain command as a container does, on the pod with index 1."""
    del pod.env["SLIPWAY_ENTRYPOINT"]
    return pod.launch("--", *command, SLIPWAY_FRAMEWORK="plain", **env)


def test_a_plain_command_runs_in_the_source_and_says_when_it_is_done(
    pod: Pod, capfd: pytest.CaptureFixture[str]
) -> None:
    assert plain(pod, "sh", "-c", "ls; echo $TF_CONFIG") == 0
    said = capfd.readouterr().out
    assert said.startswith("train.py\n")
    assert '"task": {"type": "worker", "index": 1}' in said
    assert pod.word == {"reason": "Completed", "exitCode": 0}


def test_a_plain_command_that_fails_is_told_with_its_code_and_last_lines(pod: Pod) -> None:
    assert plain(pod, "sh", "-c", "echo reading; echo no such column >&2; exit 3") == 3
    word = pod.word
    assert (word["reason"], word["exitCode"], word["rank"]) == ("ScriptFailed", 3, 1)
    assert word["message"] == "The command 'sh' of pod 1 exited with code 3."
    assert word["logTail"] == "reading\nno such column"


def test_a_plain_command_that_a_signal_killed_is_told_with_the_signals_name(pod: Pod) -> None:
    assert plain(pod, "sh", "-c", "kill -SEGV $$") == 139
    assert (pod.word["signal"], pod.word["exitCode"]) == ("SIGSEGV", 139)


@pytest.mark.parametrize("ignores", ["", "trap '' TERM; "])
def test_processes_that_a_command_leaves_behind_are_ended(pod: Pod, ignores: str) -> None:
    kept = pod.run_dir / "kept"
    loop = f"{ignores}echo $$ > {kept}; while true; do sleep 0.1; done"
    script = f'setsid sh -c "{loop.replace("$", chr(92) + "$")}" & until [ -s {kept} ]; do :; done'
    assert plain(pod, "sh", "-c", script) == 0
    assert pod.word["reason"] == "Completed"
    with pytest.raises(ProcessLookupError):
        os.kill(int(kept.read_text()), 0)


@pytest.mark.parametrize(("code", "name"), [(143, None), (130, None), (137, None)])
def test_a_code_of_the_programs_own_doing_is_its_failure(
    pod: Pod, code: int, name: str | None
) -> None:
    assert plain(pod, "sh", "-c", f"echo my last line; exit {code}") == (
        OWN_SIGTERM if code == 143 else code
    )
    word = pod.word
    assert (word["reason"], word["exitCode"], word.get("signal")) == ("ScriptFailed", code, name)
    assert word["logTail"] == "my last line"


@pytest.mark.parametrize("kill", ["kill -TERM $$", "kill -TERM 0"])
def test_a_program_that_ends_itself_by_sigterm_was_not_told_to_stop(pod: Pod, kill: str) -> None:
    assert plain(pod, "sh", "-c", kill) == OWN_SIGTERM
    assert pod.word["reason"] == "ScriptFailed"
    assert (pod.word["exitCode"], pod.word["signal"]) == (143, "SIGTERM")


def test_ranks_that_saved_since_another_pod_stops_are_no_failure(pod: Pod) -> None:
    (pod.run_dir / SAVED).touch()
    assert pod.run(pod.failed_rank(143)) == 143
    assert pod.word["reason"] == "Stopped"


def test_ranks_that_end_with_143_by_themselves_have_failed(pod: Pod) -> None:
    assert pod.run(pod.failed_rank(143)) == OWN_SIGTERM
    assert pod.word["reason"] == "ScriptFailed"


def test_a_launcher_that_ends_is_told_with_its_own_last_lines(pod: Pod) -> None:
    why = {"launcher": "usage: torchrun\ntorchrun: error: unrecognized", "exitCode": 2}
    (pod.logs / "failure.json").write_text(json.dumps(why))
    assert pod.run("import sys; sys.exit(2)") == 2
    assert (pod.word["reason"], pod.word["exitCode"]) == ("LauncherFailed", 2)
    assert pod.word["logTail"] == why["launcher"]


def test_a_script_of_the_source_is_a_command(pod: Pod) -> None:
    script = pod.source / "run.sh"
    script.write_text("#!/bin/sh\nls\n")
    script.chmod(0o755)
    assert plain(pod, "./run.sh") == 0


@pytest.mark.parametrize("program", ["entrypoint", "module", "command"])
def test_what_a_program_writes_by_a_relative_path_lies_in_the_working_folder(
    pod: Pod, program: str
) -> None:
    (pod.source / "train.py").write_text(
        "import os, pathlib, beside\n"
        "os.makedirs('lightning_logs/version_0')\n"
        "pathlib.Path('rows').write_text(pathlib.Path('rows.csv').read_text())\n"
    )
    (pod.source / "rows.csv").write_text("1,2")
    (pod.source / "beside.py").touch()
    told = {"entrypoint": "", "module": "", "command": ""} | {program: "train.py"}
    env = {"SLIPWAY_ENTRYPOINT": told["entrypoint"], "SLIPWAY_FRAMEWORK": "plain"}
    env["SLIPWAY_MODULE"] = told["module"].removesuffix(".py")
    command = [sys.executable, "train.py"] if told["command"] else []
    assert pod.launch("--", *command, PYTHONDONTWRITEBYTECODE="1", **env) == 0
    assert (pod.work / "lightning_logs/version_0").is_dir()
    assert (pod.work / "rows").read_text() == "1,2"
    assert {path.name for path in pod.source.iterdir()} == {"train.py", "rows.csv", "beside.py"}


def test_a_source_that_the_image_lacks_is_told(pod: Pod) -> None:
    assert pod.launch(SLIPWAY_SOURCE_DIR="/no/such") == 1
    assert pod.word["reason"] == "SourceNotFound"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no interpreter\n", "Exec format error: it begins with no '#!' and an interpreter."),
        (b"#!/bin/sh\r\nexit 0\r\n", "a carriage return: save it with the line ends of Unix."),
        (b"#! /opt/conda/bin/python -u\n", "names the interpreter '/opt/conda/bin/python'."),
        (b"\x7fELF" + bytes(60), "Exec format error: it is built for another processor"),
        (b"", "Exec format error"),
    ],
)
def test_a_command_that_the_kernel_cannot_start_is_told_why(
    pod: Pod, content: bytes, words: str
) -> None:
    script = pod.source / "run.sh"
    script.write_bytes(content)
    script.chmod(0o755)
    assert plain(pod, "./run.sh") == 1
    assert pod.word["reason"] == "CommandNotExecutable"
    assert words in pod.word["message"]


def test_a_command_that_is_not_there_is_named(pod: Pod) -> None:
    assert plain(pod, "no-such-program") == 1
    assert pod.word["reason"] == "CommandNotFound"
    assert "spec.command" in pod.word["message"]
