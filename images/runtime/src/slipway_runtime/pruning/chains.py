"""Which layers of a network follow each other so that outputs of one are inputs of the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
POOLS = tuple(
    f"{kind}Pool{n}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for n in (1, 2, 3)
)
NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
ELEMENTWISE = (
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Softplus"),
    *("Tanh", "Sigmoid", "Hardtanh", "Hardswish", "Hardsigmoid", "Identity"),
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"),
)
"""torch's modules that treat each output by itself, and are the same for each."""


@dataclass(frozen=True)
class Pair:
    """A layer, the next one, and batch norm between them."""

    first: Any
    second: Any
    norms: tuple[Any, ...]


def width(layer: Any) -> int:
    """Return how many outputs a layer has."""
    return int(layer.weight.shape[0])


def pairs(model: Any) -> list[Pair]:
    """Return the layers that follow each other in a Sequential, from the front to the back.

    Those that are used twice, or have a weight in common with others, are left out.
    """
    modules = Counter(id(each) for _, each in model.named_modules(remove_duplicate=False))
    owned = (each for module in model.modules() for each in module._parameters.values())
    weights = Counter(map(id, owned))

    def is_free(module: Any) -> bool:
        own = module._parameters.values()
        return modules[id(module)] == 1 and all(e is None or weights[id(e)] == 1 for e in own)

    found = [
        _next(chain[at:])
        for chain in _chains(model)
        for at, each in enumerate(chain)
        if _is_layer(each)
    ]
    return [
        each
        for each in found
        if each is not None and all(map(is_free, (each.first, each.second, *each.norms)))
    ]


def _chains(model: Any) -> Iterator[list[Any]]:
    """Yield what each Sequential calls, one after the other, with those that lie in it."""
    all_of_them = [each for each in model.modules() if _name(each) == "Sequential"]
    inner = {id(part) for each in all_of_them for part in each if _name(part) == "Sequential"}
    for each in all_of_them:
        if id(each) not in inner:
            yield list(_parts(each))


def _parts(sequential: Any) -> Iterator[Any]:
    for each in sequential:
        if _name(each) == "Sequential":
            yield from _parts(each)
        else:
            yield each


def _next(chain: list[Any]) -> Pair | None:
    """Return the pair of a chain's first layer; None where its outputs do not go to one layer."""
    first, is_flat = chain[0], False
    norms: list[Any] = []
    of_pictures = _name(first) in CONVOLUTIONS
    for each in chain[1:]:
        name = _name(each)
        if _is_layer(each):
            return Pair(first, each, tuple(norms)) if _fits(first, each, is_flat) else None
        if name == "Flatten":
            if is_flat or not of_pictures or (each.start_dim, each.end_dim) != (1, -1):
                return None
            is_flat = True
        elif name in NORMS:
            if is_flat or each.num_features != width(first):
                return None
            norms.append(each)
        elif name in POOLS:
            if is_flat or not of_pictures:
                return None
        elif name not in ELEMENTWISE:
            return None
    return None


def _fits(first: Any, second: Any, is_flat: bool) -> bool:
    """Whether a layer's outputs are the next one's inputs, or so many inputs for each output."""
    inputs = int(second.weight.shape[1])
    if is_flat:
        return _name(second) == "Linear" and inputs % width(first) == 0
    return _name(first) == _name(second) and inputs == width(first)


def _is_layer(module: Any) -> bool:
    """Whether it is a layer whose outputs each depend on all inputs, with a weight of its own."""
    name = _name(module)
    if name not in ("Linear", *CONVOLUTIONS) or module._parameters.get("weight") is None:
        return False
    return name == "Linear" or module.groups == 1


def _name(module: Any) -> str:
    """Return the name of torch's own module; empty for any other, also for one that is derived."""
    from torch import nn

    name = type(module).__name__
    return name if type(module) is getattr(nn, name, None) else ""
