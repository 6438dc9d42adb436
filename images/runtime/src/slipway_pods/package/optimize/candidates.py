"""The forms of an exported model that `package.optimize` may name, each made in a file.

Those of `figures.PROGRAMS` are programs of torch.export, all others ONNX for ONNX Runtime. In ONNX,
whole numbers of eight bits are unsigned, weights too: on processors without VNNI the product of
signed and unsigned ones overflows sixteen bits and is cut off
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_handlers.formats.compiled import is_compiled
from slipway_pods.package.optimize import linear
from slipway_pods.package.optimize.figures import SUFFIX

MOST_CALIBRATED = 200
"""Most rows that ranges of activations are taken from."""

OF_THE_BATCH = frozenset({"Int8Dynamic"})
"""What takes ranges of activations from all that is asked at once."""


@dataclass(frozen=True)
class Source:
    """An exported model's file, and rows of its inputs for calibration."""

    path: Path
    rows: Sequence[tuple[Any, ...]]
    folder: Path

    def program(self) -> Path:
        """Return the file of a program; raises ValueError for a model of another kind.

        Machine code is not even opened as one: torch would load it.
        """
        if self.path.suffix == SUFFIX:
            raise ValueError("the model is ONNX: export it as .pt2")
        if is_compiled(self.path):
            raise ValueError('the model is compiled: export it without format="aoti"')
        return self.path

    def onnx(self) -> Path:
        """Return the model as ONNX, made once; raises what the exporter raises."""
        if self.path.suffix == SUFFIX:
            return self.path
        made = self.folder / f"exported{SUFFIX}"
        if not made.exists():
            _to_onnx(self.program(), made)
        return made


def _to_onnx(program: Path, target: Path) -> None:
    import torch

    exported = torch.export.load(program)
    made = target.with_suffix(".part")
    torch.onnx.export(
        exported, (), str(made), dynamo=True, external_data=False, verbose=False, optimize=True
    )
    made.rename(target)


def _onnx(source: Source, target: Path) -> None:
    if source.path.suffix == SUFFIX:
        raise ValueError("the model is ONNX as it was exported")
    shutil.copyfile(source.onnx(), target)


def _int8_dynamic(source: Source, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(_prepared(source), target, weight_type=QuantType.QUInt8)


def _int8_static(source: Source, target: Path) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    prepared = _prepared(source)
    quantize_static(
        prepared,
        target,
        _reader(prepared, source.rows[:MOST_CALIBRATED]),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,
    )


def _torchao_int8(source: Source, target: Path) -> None:
    linear.quantize(source.program(), target)


def _prepared(source: Source) -> Path:
    """Return the model as the quantizer wants it: batch norm is part of the layer before it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    made = source.folder / f"prepared{SUFFIX}"
    if not made.exists():
        quant_pre_process(str(source.onnx()), str(made), skip_symbolic_shape=True)
    return made


def _reader(path: Path, rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return what gives the quantizer a model's inputs, row by row."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, given: Iterator[tuple[Any, ...]]) -> None:
            self._given = given

        def get_next(self) -> dict[str, Any] | None:
            row = next(self._given, None)
            if row is None:
                return None
            return {name: each.numpy() for name, each in zip(names, row, strict=True)}

    return Rows(iter(rows))


MAKERS: Mapping[str, Callable[[Source, Path], None]] = {
    "Onnx": _onnx,
    "Int8Dynamic": _int8_dynamic,
    "Int8Static": _int8_static,
    "TorchaoInt8": _torchao_int8,
}
"""What writes each of `figures.CANDIDATES` to a file; raises whatever the libraries raise."""
