"""Structured pruning: layers lose whole outputs, and the network gets smaller and faster.

Source: Li, Kadav, Durdanovic, Samet and Graf, Pruning Filters for Efficient ConvNets (2017),
https://arxiv.org/abs/1608.08710: outputs with the least L1 norm of their weights go (section 3.1),
layer after layer, where a norm counts the inputs that are left alone (section 3.2, greedy).
"""

from __future__ import annotations

import copy
import math
from typing import Any

from slipway_runtime.pruning import shares
from slipway_runtime.pruning.chains import Pair, pairs, width

NORM = ("weight", "bias", "running_mean", "running_var")
"""What batch norm has for each output of the layer before it."""


def shrink(model: Any, share: float, example: Any) -> Any:
    """Return a copy of a model whose layers have fewer outputs; the model is not changed.

    Each linear or convolutional layer loses the ``share`` (above 0, below 1) of its outputs whose
    weights have the least sum of magnitudes, rounded down, if another such layer comes after it in
    the same ``nn.Sequential``: activations, dropout, batch norm, pooling and one ``nn.Flatten`` may
    lie between. What is outside, and the last layer's outputs, stay as they are. A Sequential has
    to be called as a whole, as shortcuts into it would miss outputs.

    Fine-tune the copy, with an optimizer made of its parameters, and write it by `slipway.export`:
    the model's class has another shape. ``example`` is the model's input, a tensor or a tuple, with
    which the copy is tried. Raises ValueError for another share, a model without such layers, or
    one that does not take the example any more.
    """
    shares.check(share)
    smaller = copy.deepcopy(model)
    found = pairs(smaller)
    if not found:
        raise ValueError(
            "slipway.shrink takes a model with linear or convolutional layers that follow each "
            "other in an nn.Sequential (outside of slipway.prune), and this one has none."
        )
    for pair in found:
        _narrow(pair, share)
    _check(model, smaller, example)
    return smaller


def _narrow(pair: Pair, share: float) -> None:
    """Take outputs away from a layer, from batch norm after it, and as inputs of the next one."""
    import torch

    before = width(pair.first)
    left = before - min(math.floor(share * before), before - 1)
    norms = pair.first.weight.detach().abs().flatten(1).sum(1)
    kept = norms.topk(left).indices.sort().values
    for name in ("weight", "bias"):
        _keep(pair.first, name, kept, 0)
    for each in pair.norms:
        for name in NORM:
            _keep(each, name, kept, 0)
        each.num_features = left
    inputs = torch.arange(pair.second.weight.shape[1], device=kept.device)
    _keep(pair.second, "weight", inputs.view(before, -1)[kept].flatten(), 1)
    _resize(pair.first, 0)
    _resize(pair.second, 1)


def _keep(module: Any, name: str, kept: Any, side: int) -> None:
    """Leave some places on one side of a parameter or buffer, if the module has it."""
    from torch import nn

    old = getattr(module, name, None)
    if old is None:
        return
    new = old.detach().index_select(side, kept.to(old.device)).clone()
    is_parameter = name in module._parameters
    setattr(module, name, nn.Parameter(new, old.requires_grad) if is_parameter else new)


def _resize(layer: Any, side: int) -> None:
    """Have a layer tell the size that its weight has on a side: outputs (0) or inputs (1)."""
    kind = "features" if hasattr(layer, "in_features") else "channels"
    setattr(layer, f"{('out', 'in')[side]}_{kind}", layer.weight.shape[side])


def _check(model: Any, smaller: Any, example: Any) -> None:
    expected = _shapes(model, example)
    try:
        found = _shapes(smaller, example)
    except Exception as error:
        raise ValueError(
            f"The smaller model does not take the example: {error}\nIs a part of an nn.Sequential "
            "called by itself? Write it as a module of its own."
        ) from error
    if found != expected:
        raise ValueError(f"The smaller model answers {found}, and the model {expected}.")


def _shapes(model: Any, example: Any) -> list[tuple[int, ...]]:
    """Return the shapes of what a model answers, as it is served."""
    import torch
    from torch.utils import _pytree

    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    served = copy.deepcopy(model).eval()
    with torch.no_grad():
        leaves = _pytree.tree_leaves(served(*inputs))
    return [tuple(each.shape) for each in leaves if hasattr(each, "shape")]
