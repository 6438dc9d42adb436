"""`python weights.py FOLDER`: make the files that archives name as made, where torch is.

FOLDER holds the networks' modules already.
"""

import importlib
import os
import sys
from pathlib import Path

import torch

WORDS = ["it", "is", "not", "good", "they", "do", "say", "was", "bad", "of", "there", "what"]


def main(folder: Path) -> None:
    """Make them."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    model = importlib.import_module("net").Net().eval()
    torch.save(model.state_dict(), "state.pt")
    torch.save(model, "whole.pt")
    torch.jit.script(model).save("scripted.pt")
    rows = torch.export.Dim("rows")
    program = torch.export.export(model, (torch.ones(2, 2),), dynamic_shapes={"x": {0: rows}})
    torch.export.save(program, "net.pt2")
    _save_vocabulary()
    _save_others(model)


def _save_vocabulary() -> None:
    pairs = [f"{one} {other}" for one in WORDS for other in WORDS]
    torch.save({token: number for number, token in enumerate(WORDS + pairs)}, "source_vocab.pt")


def _save_others(model: torch.nn.Module) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, "net.safetensors")
    layer = helper.make_node("Gemm", ["x", "layer.weight", "layer.bias"], ["y"], transB=1)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 2]) for n in "xy"]
    held = [numpy_helper.from_array(value.numpy(), name) for name, value in weights.items()]
    graph = helper.make_graph([layer], "net", ends[:1], ends[1:], held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), "net.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
