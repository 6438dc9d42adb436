"""Magnitude pruning: the smallest weights are held at zero while the others go on learning.

Source: Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural
Networks (2015), https://arxiv.org/abs/1506.02626. The threshold is one for all layers together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slipway_runtime.pruning import shares

LAYERS = ("Linear", *(f"Conv{n}d" for n in (1, 2, 3)), *(f"ConvTranspose{n}d" for n in (1, 2, 3)))
"""torch's layers whose weights are pruned; biases and all else are not."""


@contextmanager
def prune(model: Any, share: float) -> Iterator[Any]:
    """Hold the smallest weights of a model at zero within a block, and leave them zero after it.

    Of the weights of all linear and convolutional layers together these are the ``share`` (above 0,
    below 1) with the least magnitudes. Within the block the others are fine-tuned, by an optimizer
    that may be older than the block. After it the model is an ordinary one again, and a later block
    with a greater share begins with the same zeros. A weight that two layers have in common is left
    as it is.

    A zero takes as many bytes and as much time as any other number: files get smaller when they are
    compressed, and nothing gets faster. `shrink` takes whole outputs away. Raises ValueError for
    another share, and for a model without such weights, or within another such block.
    """
    shares.check(share)
    from torch.nn.utils import parametrize

    layers = _layers(model)
    if not layers:
        raise ValueError(
            "slipway.prune takes a model with linear or convolutional layers of its own weights, "
            "and no model within another slipway.prune: this one has no weight to prune."
        )
    for layer, mask in zip(layers, _masks([each.weight for each in layers], share)):
        parametrize.register_parametrization(layer, "weight", mask)
    try:
        yield model
    finally:
        for layer in layers:
            parametrize.remove_parametrizations(layer, "weight")
            own = layer._parameters  # the weight comes first again, as optimizers number them
            own.update({name: own.pop(name) for name in list(own) if name != "weight"})


def _layers(model: Any) -> list[Any]:
    """Return the layers whose weights are parameters, and no other layer's too."""
    from torch import nn

    kinds = tuple(getattr(nn, name) for name in LAYERS)
    owned = [each for module in model.modules() for each in module._parameters.values()]
    times = Counter(map(id, owned))
    found = [each for each in model.modules() if isinstance(each, kinds)]
    weights = ((each, each._parameters.get("weight")) for each in found)
    return [each for each, weight in weights if weight is not None and times[id(weight)] == 1]


def _masks(weights: list[Any], share: float) -> list[Any]:
    """Return a mask for each weight, which are zero for the smallest of all of them together.

    It is found on the CPU, where all ranks find the same.
    """
    import torch

    from slipway_runtime.pruning.mask import Mask

    sizes = torch.cat([each.detach().abs().float().flatten().cpu() for each in weights])
    count = max(1, round(share * sizes.numel()))
    zero = torch.zeros(sizes.numel(), dtype=torch.bool)
    zero[sizes.topk(count, largest=False).indices] = True
    parts = zero.split([each.numel() for each in weights])
    return [Mask(part.view(each.shape).to(each.device)) for part, each in zip(parts, weights)]
