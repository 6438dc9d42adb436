import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import slipway_runtime as slipway
from slipway_runtime import helper, progress


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
    found = progress.read(run_dir)
    assert found is not None
    assert (found["step"], found["totalSteps"], found["metrics"]) == (2, None, {})


def test_only_rank_0_reports(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    slipway.report(1)
    assert progress.read(run_dir) is None


def test_outside_slipway_a_report_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_RUN_DIR", raising=False)
    slipway.report(1, loss=0.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_any_more_is_reported_as_such(run_dir: Path, value: float) -> None:
    slipway.report(1, loss=value)
    text = (run_dir / "progress.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["loss"] == str(value)


@pytest.mark.parametrize(
    ("step", "metrics", "message"),
    [
        (-1, {}, "write 0 or more"),
        (1, {"loss": "low"}, "loss='low': write a number"),
        (1, {f"m{number}": 1 for number in range(33)}, "write 32 at most"),
    ],
)
def test_a_report_that_cannot_be_read_is_refused(
    run_dir: Path, step: int, metrics: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        slipway.report(step, **metrics)  # type: ignore[arg-type]
    assert progress.read(run_dir) is None


def test_a_full_disk_does_not_stop_the_training(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_RUN_DIR", str(run_dir / "gone"))
    slipway.report(1)
    assert "progress was not written" in capsys.readouterr().err


def test_importing_the_helper_loads_neither_torch_nor_the_stores_libraries() -> None:
    script = (
        "import sys, slipway_runtime, slipway_runtime.launch, slipway_runtime.agent;"
        "heavy = {'torch', 'fsspec', 's3fs', 'aiohttp', 'yaml'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_reports_in_a_row_tell_the_pace(run_dir: Path) -> None:
    slipway.report(1, 1000, samples=8)
    slipway.report(2, 1000, samples=8)
    found = progress.read(run_dir) or {}
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
    assert (progress.read(run_dir) or {})["stopReason"] == "LossBelow"


def test_the_last_report_tells_that_the_time_is_over(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_STOP", '{"wallTimeSeconds": 100}')
    slipway.report(1)
    helper.reporter().stopper.restore({"elapsed": 100})
    assert slipway.should_stop() is True
    assert (progress.read(run_dir) or {})["stopReason"] == "WallTime"


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
    found = progress.read(run_dir) or {}
    assert found["gpu"] == {"memoryUsedBytes": 20, "memoryTotalBytes": 80}
    monkeypatch.setattr(Cuda, "utilization", staticmethod(lambda: 25))
    slipway.report(2)
    assert (progress.read(run_dir) or {})["gpu"]["utilization"] == 0.25
