"""Models in ONNX, which ONNX Runtime computes, called as torch's modules are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


class OnnxModel:
    """A session of ONNX Runtime that takes tensors by position and answers tensors, on the CPU.

    It has as many threads as torch: of one, nothing is started beside the caller's, and a process
    that has loaded it may be forked.
    """

    def __init__(self, path: Path) -> None:
        """Load a file; raises ImportError without ONNX Runtime, or what that raises."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        # A thread that spins takes the processor from the others of a container with a limit.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [each.name for each in self._session.get_inputs()]

    def __call__(self, *tensors: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Return the output, or all of several; raises ValueError for other inputs than it has."""
        if len(tensors) != len(self.inputs):
            names = ", ".join(self.inputs)
            raise ValueError(f"The model takes {names:.500}, and was given {len(tensors)} inputs.")
        arrays = (tensor.detach().cpu().numpy() for tensor in tensors)
        found: list[Any] = self._session.run(None, dict(zip(self.inputs, arrays, strict=True)))
        outputs = tuple(map(torch.as_tensor, found))
        return outputs[0] if len(outputs) == 1 else outputs


def threads() -> int:
    """Return how many threads torch is told to have.

    The Python server has torch use one while it loads a model, whatever it uses afterwards.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else torch.get_num_threads()
