"""Weights of eight bits in a program's linear layers, by torchao; all else stays as it is.

A program has no layers any more, only what they compute. So each product with a weight becomes a
layer again, torchao quantizes these, and the program is exported anew. What it computes then is
plain torch: torchao is not needed where it is loaded.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NAME = "slipway_linear_{}"
"""What the layers are called in the program, by their numbers."""


def quantize(program: Path, target: Path) -> None:
    """Write a program of torch.export with weights of eight bits, a scale for each output.

    Raises ValueError for a program without linear layers, or whose sides hang on each other;
    ModuleNotFoundError without torchao, and what torch raises.
    """
    import torch
    from torchao.quantization import Int8WeightOnlyConfig, quantize_
    from torchao.utils import unwrap_tensor_subclass

    exported = torch.export.load(program)
    inputs = _inputs(exported)
    module = exported.module(check_guards=False)
    layers = _with_layers(module)
    with torch.no_grad():
        quantize_(layers, Int8WeightOnlyConfig(version=2))
        for number, layer in enumerate(unwrap_tensor_subclass(layers)):
            setattr(module, NAME.format(number), layer)
        made = torch.export.export(module, inputs, dynamic_shapes=_sides(exported))
    made.example_inputs = None
    torch.export.save(made, target)


def _with_layers(module: Any) -> Any:
    """Have a program's module call a layer for each product with a weight; return the layers."""
    from torch import nn

    layers, paths = nn.ModuleList(), set[str]()
    for node in list(module.graph.nodes):
        weight, bias = _parameters(module, node)
        if weight is None:
            continue
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
        paths |= {each.target for each in node.args[1:] if each is not None}
        name = NAME.format(len(layers))
        layers.append(layer)
        module.add_module(name, layer)
        with module.graph.inserting_before(node):
            called = module.graph.call_module(name, (node.args[0],))
        node.replace_all_uses_with(called)
        module.graph.erase_node(node)
    if not layers:
        raise ValueError("the model has no linear layer with a weight of its own")
    module.graph.eliminate_dead_code()
    module.recompile()
    used = {node.target for node in module.graph.nodes if node.op == "get_attr"}
    for path in paths - used:  # the export would keep them
        owner, _, name = path.rpartition(".")
        delattr(_attribute(module, owner), name)
    return layers


def _parameters(module: Any, node: Any) -> tuple[Any, Any]:
    """Return weight and bias of a linear layer, or None twice for anything else."""
    import torch

    if node.op != "call_function" or node.target is not torch.ops.aten.linear.default:
        return None, None
    named = [each for each in node.args[1:] if each is not None]
    if node.kwargs or not named or not all(each.op == "get_attr" for each in named):
        return None, None
    weight, *bias = (_attribute(module, each.target) for each in named)
    if weight.dim() != 2 or not weight.dtype.is_floating_point:
        return None, None
    return weight, bias[0] if bias else None


def _attribute(module: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        module = getattr(module, name)
    return module


def _given(exported: Any) -> Iterator[Any]:
    """Yield the inputs that a program was exported with: tensors without numbers."""
    import torch

    names = set(exported.graph_signature.user_inputs)
    for node in exported.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            if not isinstance(node.meta["val"], torch.Tensor):
                raise ValueError("the model takes what is no tensor")
            yield node.meta["val"]


def _inputs(exported: Any) -> tuple[Any, ...]:
    """Return inputs of zeros. A side of any length has two at least, and its own length."""
    import torch

    given = list(_given(exported))
    kept = {side for each in given for side in each.shape if isinstance(side, int)}
    lengths: dict[str, int] = {}
    for each in given:
        for side in each.shape:
            if isinstance(side, int) or str(side) in lengths:
                continue
            if not side.node.expr.is_symbol:
                raise ValueError(f"the model takes a side of the length {side}")
            lengths[str(side)] = _free(kept, lengths.values())

    def length(side: Any) -> int:
        return side if isinstance(side, int) else lengths[str(side)]

    shapes = [[length(side) for side in each.shape] for each in given]
    return tuple(
        torch.zeros(shape, dtype=each.dtype) for shape, each in zip(shapes, given, strict=True)
    )


def _free(*taken: Any) -> int:
    used = {length for lengths in taken for length in lengths}
    return next(length for length in range(2, 2 + len(used) + 1) if length not in used)


def _sides(exported: Any) -> Sequence[dict[int, Any]]:
    """Return which sides of each input may have any length, as torch.export takes them."""
    import torch

    return tuple(
        {
            at: torch.export.Dim.DYNAMIC
            for at, side in enumerate(each.shape)
            if not isinstance(side, int)
        }
        for each in _given(exported)
    )
