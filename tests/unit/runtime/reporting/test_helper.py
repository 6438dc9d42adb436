import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slipway_runtime as slipway
from slipway_pods.agent import metrics
from slipway_runtime import helper
from slipway_runtime.reporting import progress


class Tensor:
    """Anything that float takes, as torch's tensors of one element."""

    def __float__(self) -> float:
        return 0.25


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_RUN_DIR", str(tmp_path))
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(helper, "_reporter", None)
    return tmp_path


def test_a_report_is_written_whole_with_the_time(run_dir: Path) -> None:
    slipway.report(5, total=20, epoch=1, loss=Tensor(), accuracy=1)
    found = json.loads((run_dir / "progress.json").read_text())
    assert found.pop("time") > 1.7e9
    assert found == {
        "step": 5,
        "totalSteps": 20,
        "epoch": 1,
        "metrics": {"loss": 0.25, "accuracy": 1.0},
        "stepsPerSecond": None,
        "samplesPerSecond": None,
        "etaSeconds": None,
        "gpu": {},
        "stopReason": None,
    }
    assert [path.name for path in run_dir.iterdir()] == ["progress.json"]


def test_the_next_report_takes_the_place_of_the_one_before(run_dir: Path) -> None:
    slipway.report(1, loss=1)
    slipway.report(2)
    found = metrics.read_report(run_dir)
    assert found is not None
    assert (found["step"], found["totalSteps"], found["metrics"]) == (2, None, {})


def test_only_rank_0_reports(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    slipway.report(1)
    assert metrics.read_report(run_dir) is None


def test_outside_slipway_a_report_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_RUN_DIR", raising=False)
    slipway.report(1, loss=0.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_any_more_is_reported_as_such(run_dir: Path, value: float) -> None:
    slipway.report(1, loss=value)
    text = (run_dir / "progress.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["loss"] == str(value)


def shown(run_dir: Path) -> dict[str, Any]:
    found = metrics.read_report(run_dir)
    assert found is not None
    return found


FRAMEWORKS = {"step": 7.0, "epoch": 1.5, "total": 9, "samples": 3, "metrics": 2, "loss": 0.5}


def test_metrics_in_a_mapping_may_have_any_name(run_dir: Path) -> None:
    slipway.report(5, 20, FRAMEWORKS, epoch=1)
    found = shown(run_dir)
    assert (found["step"], found["totalSteps"], found["epoch"]) == (5, 20, 1)
    assert found["metrics"] == FRAMEWORKS


def test_keywords_whose_place_is_taken_are_metrics_of_that_name(run_dir: Path) -> None:
    slipway.report(5, 20, step=6, total=30, metrics=1, loss=2)
    found = shown(run_dir)
    assert (found["step"], found["totalSteps"]) == (5, 20)
    assert found["metrics"] == {"step": 6.0, "total": 30.0, "metrics": 1.0, "loss": 2.0}


def test_all_may_be_given_by_keywords(run_dir: Path) -> None:
    slipway.report(step=5, total=20, metrics={"loss": 1}, accuracy=2)
    found = shown(run_dir)
    assert (found["step"], found["totalSteps"]) == (5, 20)
    assert found["metrics"] == {"loss": 1.0, "accuracy": 2.0}


def test_what_cannot_be_shown_is_left_out_and_said_once(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {f"m{index}": index for index in range(40)}
    for _ in range(3):
        slipway.report(1, None, {**metrics, "loss": 0.5, "note": "low", "x" * 99: 1})
    found = shown(run_dir)["metrics"]
    assert len(found) == progress.MAX_METRICS
    assert found["loss"] == 0.5, "what spec.stop may go by stays"
    said = capsys.readouterr().err
    assert said.count("only the first 32 of 43 metrics") == 1
    assert said.count("note is 'low', no number") == 1


def test_a_report_of_too_many_metrics_keeps_those_that_gates_judge(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_GATE_METRICS", '["accuracy", "absent"]')
    metrics = {f"m{index}": index for index in range(40)}
    slipway.report(1, None, {**metrics, "loss": 0.5, "accuracy": 0.9})
    found = shown(run_dir)["metrics"]
    assert len(found) == progress.MAX_METRICS
    assert (found["loss"], found["accuracy"]) == (0.5, 0.9)


def test_the_agents_page_has_those_that_gates_judge_of_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_GATE_METRICS", '["zeta"]')
    found = metrics.named_metrics({f"m{index:02}": index for index in range(40)} | {"zeta": 0.5})
    assert (len(found), found["zeta"]) == (progress.MAX_METRICS, "0.5")


@pytest.mark.parametrize("text", ["", "{", "{}", "7", '[7, null, ["a"]]', "[" * 100_000])
def test_names_of_gates_that_are_no_list_of_names_end_no_script(
    text: str, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_GATE_METRICS", text)
    slipway.report(1, None, {"loss": 0.5})
    assert shown(run_dir)["metrics"] == {"loss": 0.5}


def test_a_long_name_is_shown_short(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slipway.report(1, None, {"x" * 99: 1, "x" * 98: 2, "a\nb": 3})
    assert shown(run_dir)["metrics"] == {"x" * 64: 1.0, "a_b": 3.0}
    assert "two metrics are called" in capsys.readouterr().err


@pytest.mark.parametrize("step", [-1, None, "x", float("nan"), 2**70, object()])
def test_a_step_that_is_none_reports_nothing_and_says_so(
    run_dir: Path, step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    slipway.report(step, loss=1)
    assert metrics.read_report(run_dir) is None
    assert "nothing is reported" in capsys.readouterr().err


class Broken:
    """A value that is no number."""

    def __float__(self) -> float:
        raise RuntimeError("a tensor of two elements")


class Unshowable(Broken):
    """A value whose every use fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_a_value_that_cannot_even_be_shown_is_left_out(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slipway.report(1, note=Unshowable())
    assert shown(run_dir)["metrics"] == {}
    assert "note is Unshowable, no number" in capsys.readouterr().err


class Ambiguous(Broken):
    """As an array of two elements: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


class Unnamed:
    """A key that has no name to show."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Gone(Mapping[str, float]):
    """Metrics that cannot be read any more."""

    def __getitem__(self, name: str) -> float:
        raise OSError("gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["loss"])

    def __len__(self) -> int:
        return 1


def test_metrics_that_cannot_be_read_are_left_out_and_the_step_is_reported(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slipway.report(1, 10, Gone(), accuracy=0.5)
    assert shown(run_dir)["metrics"] == {"accuracy": 0.5}
    assert "cannot be read: OSError('gone')" in capsys.readouterr().err


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, Tensor(), Broken(), Ambiguous(), Gone()]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text(max_size=2) | st.just(Unnamed()), inner)
    ),
    max_leaves=3,
)
NAMES = st.sampled_from(["step", "total", "epoch", "samples", "metrics", "loss"]) | st.text()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(position=st.lists(ANY, max_size=4), named=st.dictionaries(NAMES, ANY, max_size=6))
def test_a_report_never_stops_what_it_reports_on(
    run_dir: Path, position: list[Any], named: dict[str, Any]
) -> None:
    helper.reporter().notes = progress.Notes()
    slipway.report(*position, **named)
    found = metrics.read_report(run_dir)
    if found is not None:
        assert found["step"] >= 0
        assert len(found["metrics"]) <= progress.MAX_METRICS


def test_a_full_disk_does_not_stop_the_training(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_RUN_DIR", str(run_dir / "gone"))
    slipway.report(1)
    assert "progress was not written" in capsys.readouterr().err


def test_importing_the_helper_loads_neither_torch_nor_the_stores_libraries() -> None:
    script = (
        "import sys, slipway_runtime, slipway_runtime.launcher.launch, slipway_pods.agent.agent;"
        "heavy = {'torch', 'fsspec', 's3fs', 'aiohttp', 'yaml'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_reports_in_a_row_tell_the_pace(run_dir: Path) -> None:
    slipway.report(1, 1000, samples=8)
    slipway.report(2, 1000, samples=8)
    found = metrics.read_report(run_dir) or {}
    assert found["samplesPerSecond"] == pytest.approx(8 * found["stepsPerSecond"])
    assert found["etaSeconds"] == pytest.approx(998 / found["stepsPerSecond"])


def test_a_script_is_told_to_stop_and_the_report_says_why(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert slipway.should_stop() is False
    monkeypatch.setenv("SLIPWAY_STOP", '{"lossBelow": 0.5}')
    monkeypatch.setattr(helper, "_reporter", None)
    slipway.report(1, loss=0.6)
    assert slipway.should_stop() is False
    slipway.report(2, loss=0.4)
    assert slipway.should_stop() is True
    assert (metrics.read_report(run_dir) or {})["stopReason"] == "LossBelow"


def test_the_last_report_tells_that_the_time_is_over(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_STOP", '{"wallTimeSeconds": 100}')
    slipway.report(1)
    helper.reporter().stopper.restore({"elapsed": 100})
    assert slipway.should_stop() is True
    assert (metrics.read_report(run_dir) or {})["stopReason"] == "WallTime"


class Cuda:
    """What a GPU's torch tells."""

    @staticmethod
    def is_available() -> bool:
        return True

    is_initialized = is_available

    @staticmethod
    def mem_get_info() -> tuple[int, int]:
        return 60, 80

    @staticmethod
    def utilization() -> int:
        raise ModuleNotFoundError("pynvml")


def test_a_gpu_is_reported_as_far_as_torch_tells_of_it(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda))
    slipway.report(1)
    found = metrics.read_report(run_dir) or {}
    assert found["gpu"] == {"memoryUsedBytes": 20, "memoryTotalBytes": 80}
    monkeypatch.setattr(Cuda, "utilization", staticmethod(lambda: 25))
    slipway.report(2)
    assert (metrics.read_report(run_dir) or {})["gpu"]["utilization"] == 0.25
