"""What a trainer container runs, and the variables by which it finds its peers."""

import argparse
import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.launcher import commands
from slipway_runtime.launcher.run_settings import LaunchError, Settings


def settings(folder: Path, **env: str) -> Settings:
    told = {
        "SLIPWAY_SOURCE_DIR": str(folder),
        "SLIPWAY_WORK_DIR": str(folder),
        "SLIPWAY_RUN_DIR": str(folder),
        "SLIPWAY_NODES": "2",
        "SLIPWAY_PROCESSES_PER_NODE": "1",
        "SLIPWAY_RDZV_ENDPOINT": "job-train-0.job-train.ns.svc:29400",
        "SLIPWAY_RDZV_ID": "uid",
        "SLIPWAY_LOCAL_ADDR": "job-train-1.job-train.ns.svc",
        "SLIPWAY_NODE_ADDRESS": "job-train-{index}.job-train.ns.svc",
        "JOB_COMPLETION_INDEX": "1",
    }
    return Settings.from_environment({**told, **env})


def test_a_module_is_run_by_torchrun_with_the_source_on_the_path(tmp_path: Path) -> None:
    told = settings(tmp_path, SLIPWAY_MODULE="net.train")
    command = commands.command(told, tmp_path, ["--lr", "1"])
    assert command[-5:] == ["-m", "--", "net.train", "--lr", "1"]
    path = commands.environment(told, {"PYTHONPATH": "/mine"})["PYTHONPATH"].split(":")
    assert path == ["/mine", str(tmp_path), str(commands.LIBRARY)]


def test_a_group_of_a_fixed_size_does_not_form_anew(tmp_path: Path) -> None:
    command = commands.command(settings(tmp_path, SLIPWAY_MODULE="fit"), tmp_path, [])
    assert {"--nnodes=2", "--max-restarts=0"} <= set(command)
    assert "last_call" not in " ".join(command)


def test_an_elastic_group_forms_anew_within_its_bounds(tmp_path: Path) -> None:
    env = {"SLIPWAY_NODES": "1:3", "SLIPWAY_MAX_RESTARTS": "10", "SLIPWAY_MODULE": "fit"}
    command = commands.command(settings(tmp_path, **env), tmp_path, [])
    assert {"--nnodes=1:3", "--max-restarts=10"} <= set(command)
    assert "last_call_timeout=10" in " ".join(command)


def test_a_plain_script_is_run_by_python_alone(tmp_path: Path) -> None:
    told = settings(tmp_path, SLIPWAY_ENTRYPOINT="fit.py", SLIPWAY_FRAMEWORK="plain")
    command = commands.command(told, tmp_path, ["x"])
    assert command[-3:] == [sys.executable, str(tmp_path / "fit.py"), "x"]
    assert "slipway_runtime.launcher.torchrun" not in command


def test_tensorflow_finds_all_workers_and_its_own_place(tmp_path: Path) -> None:
    told = settings(tmp_path, SLIPWAY_FRAMEWORK="plain")
    assert json.loads(commands.environment(told, {})["TF_CONFIG"]) == {
        "cluster": {
            "worker": ["job-train-0.job-train.ns.svc:2222", "job-train-1.job-train.ns.svc:2222"]
        },
        "task": {"type": "worker", "index": 1},
    }


def test_a_command_gets_the_variables_of_torchrun_and_of_env(tmp_path: Path) -> None:
    env = commands.environment(settings(tmp_path), {})
    assert env["PET_RDZV_ENDPOINT"] == "job-train-0.job-train.ns.svc:29400"
    assert (env["PET_NNODES"], env["PET_NPROC_PER_NODE"], env["PET_RDZV_ID"]) == ("2", "1", "uid")
    assert env["MASTER_ADDR"] == "job-train-0.job-train.ns.svc"
    assert (env["RANK"], env["WORLD_SIZE"]) == ("1", "2")
    assert "TF_CONFIG" not in env


def test_a_command_with_several_processes_a_pod_gets_no_rank(tmp_path: Path) -> None:
    env = commands.environment(settings(tmp_path, SLIPWAY_PROCESSES_PER_NODE="4"), {})
    assert "RANK" not in env
    assert env["PET_NPROC_PER_NODE"] == "4"


def test_without_a_word_from_torch_one_process_runs(tmp_path: Path) -> None:
    told = settings(tmp_path, SLIPWAY_PROCESSES_PER_NODE="auto")
    assert commands.processes_per_node(told) == 1


@pytest.mark.parametrize(
    ("env", "args", "reason", "message"),
    [
        ({}, ["no-such-program"], "CommandNotFound", "in none of the folders of the image's PATH"),
        ({}, [], "CommandNotFound", "in none of the folders"),
        ({}, ["./run.sh"], "CommandNotFound", "'./run.sh' is not there: .*files there: other.py"),
        ({}, ["./other.py"], "CommandNotExecutable", r"command: \['sh', './other.py'\]"),
        (
            {"SLIPWAY_MODULE": "no_such.module"},
            [],
            "EntrypointNotFound",
            "The module no_such.module is not installed, nor in .*; the files there: other.py. "
            "Write spec.module as python -m takes it: train for train.py",
        ),
        (
            {"SLIPWAY_ENTRYPOINT": "train.py", "SLIPWAY_FRAMEWORK": "plain"},
            [],
            "EntrypointNotFound",
            "The entrypoint 'train.py' is not in .*; the files there: other.py. Write one of "
            "them in spec.entrypoint",
        ),
    ],
)
def test_what_is_missing_is_told(
    tmp_path: Path, env: dict[str, str], args: list[str], reason: str, message: str
) -> None:
    (tmp_path / "other.py").touch()
    with pytest.raises(LaunchError, match=message) as told:
        commands.check(settings(tmp_path, **env), args)
    assert told.value.reason == reason


@pytest.mark.parametrize("name", ["net.py", "net/train.py"])
def test_a_module_in_the_source_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    module = name.removesuffix(".py").replace("/", ".")
    commands.check(settings(tmp_path, SLIPWAY_MODULE=module, SLIPWAY_FRAMEWORK="plain"), [])


def test_an_installed_module_need_not_be_in_the_source(tmp_path: Path) -> None:
    told: dict[str, Any] = {"SLIPWAY_MODULE": "json.tool", "SLIPWAY_FRAMEWORK": "plain"}
    commands.check(settings(tmp_path, **told), [])


@pytest.mark.parametrize(("nodes", "told"), [("1", None), ("1:3", "1")])
def test_pods_that_join_an_elastic_group_later_are_told_where_to_meet(
    tmp_path: Path, nodes: str, told: str | None
) -> None:
    """Agents that share a store tell its address in the first round only."""
    given = settings(tmp_path, SLIPWAY_NODES=nodes)
    env = commands.environment(given, {})
    assert env.get("TORCH_DISABLE_SHARE_RDZV_TCP_STORE") == told


def test_a_command_of_the_source_is_found_from_the_sources_folder(tmp_path: Path) -> None:
    (tmp_path / "run.sh").touch(mode=0o755)
    commands.check(settings(tmp_path), ["./run.sh"])


@pytest.mark.parametrize("env", [{"SLIPWAY_ENTRYPOINT": "t.py"}, {"SLIPWAY_MODULE": "t"}, {}])
def test_whatever_runs_does_so_in_the_working_folder(tmp_path: Path, env: dict[str, str]) -> None:
    told = settings(tmp_path, SLIPWAY_WORK_DIR="/work", **env)
    assert "/work" in commands.command(told, Path("/logs"), ["x"])


def test_without_a_source_the_images_own_folder_is_the_one(tmp_path: Path) -> None:
    assert settings(tmp_path, SLIPWAY_SOURCE_DIR="").folder == Path.cwd()


@functools.cache
def torchrun_parser() -> argparse.ArgumentParser:
    """Return a parser with the shapes of torchrun's arguments, abbreviations included."""
    parser = argparse.ArgumentParser()
    for option in ("nnodes", "nproc-per-node", "rdzv-backend", "rdzv-endpoint", "rdzv-id"):
        parser.add_argument(f"--{option}")
    for option in ("rdzv-conf", "local-addr", "max-restarts", "tee", "log-dir", "role", "rdzv"):
        parser.add_argument(f"--{option}")
    parser.add_argument("-m", "--module", action="store_true")
    parser.add_argument("--run-path", action="store_true")
    parser.add_argument("training_script")
    parser.add_argument("training_script_args", nargs=argparse.REMAINDER)
    return parser


WORDS = st.one_of(
    st.sampled_from(["--", "-", "--r=16", "--log", "-m", "--m", "--role", "", "-h", "--help"]),
    st.text(max_size=8),
)


@given(args=st.lists(WORDS, max_size=6), module=st.booleans())
def test_torchrun_takes_none_of_the_users_arguments_for_its_own(
    args: list[str], module: bool
) -> None:
    env = {"SLIPWAY_MODULE": "net.train"} if module else {"SLIPWAY_ENTRYPOINT": "train.py"}
    command = commands.command(settings(Path("/src"), **env), Path("/logs"), args)
    taken = torchrun_parser().parse_args(command[6:])
    assert taken.training_script == ("net.train" if module else "/src/train.py")
    assert (taken.module, taken.training_script_args) == (module, args)


@pytest.mark.parametrize(("grace", "seconds"), [("90", "85"), ("30", "25"), ("3", "1")])
def test_the_ranks_time_to_end_follows_the_pods(tmp_path: Path, grace: str, seconds: str) -> None:
    told = settings(tmp_path, SLIPWAY_MODULE="fit", SLIPWAY_GRACE_SECONDS=grace)
    assert commands.command(told, tmp_path, [])[5] == seconds
