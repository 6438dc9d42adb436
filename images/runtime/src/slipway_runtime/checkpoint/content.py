"""A training's state as Torch Distributed Checkpoint takes it, and back.

See https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import copy
import importlib
import pickle
import random
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any


def gather(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state as nested dicts of tensors and plain values, each rank its own shards.

    Modules and optimizers are written with their parameters' own names, whatever wraps them (DDP,
    FSDP2), so that another number of processes can read them. What has ``state_dict`` and
    ``load_state_dict`` is left to the library; plain values are copied.
    """
    from torch import nn, optim
    from torch.distributed.checkpoint import state_dict as naming

    found: dict[str, Any] = {}
    modules = [one for one in state.values() if isinstance(one, nn.Module)]
    for key, value in state.items():
        if isinstance(value, nn.Module):
            found[key] = naming.get_model_state_dict(value)
        elif isinstance(value, optim.Optimizer):
            module = _module_of(value, modules, key)
            found[key] = naming.get_optimizer_state_dict(module, value)
        else:
            found[key] = value if _is_stateful(value) else copy.deepcopy(value)
    return found


def apply(state: MutableMapping[str, Any], loaded: Mapping[str, Any]) -> None:
    """Put what was loaded back where `gather` took it from; plain values are replaced."""
    from torch import nn, optim
    from torch.distributed.checkpoint import state_dict as naming

    modules = [one for one in state.values() if isinstance(one, nn.Module)]
    for key, value in list(state.items()):
        if isinstance(value, nn.Module):
            naming.set_model_state_dict(value, loaded[key])
        elif isinstance(value, optim.Optimizer):
            module = _module_of(value, modules, key)
            naming.set_optimizer_state_dict(module, value, loaded[key])
        elif not _is_stateful(value):
            state[key] = loaded[key]


def _is_stateful(value: Any) -> bool:
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def _module_of(optimizer: Any, modules: Iterable[Any], key: str) -> Any:
    """Return the module whose parameters an optimizer steps."""
    stepped = {id(one) for group in optimizer.param_groups for one in group["params"]}
    for module in modules:
        if any(id(parameter) in stepped for parameter in module.parameters()):
            return module
    raise ValueError(
        f"the state has the optimizer {key!r} without its model: add the model, such as "
        '{"model": model, "optimizer": optimizer}'
    )


def random_key(rank: int, size: int) -> str:
    """Return the key of a rank's random number generators, which only an equal world reads."""
    return f"slipway_random_{rank}_of_{size}"


def random_state() -> Any:
    """Return the states of torch's, Python's and NumPy's generators as a tensor of bytes."""
    import torch

    states: dict[str, Any] = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state()
    if "numpy" in sys.modules:
        states["numpy"] = sys.modules["numpy"].random.get_state()
    return torch.frombuffer(bytearray(pickle.dumps(states)), dtype=torch.uint8)


def set_random_state(blob: Any) -> None:
    """Set the generators as `random_state` found them."""
    import torch

    states = pickle.loads(bytes(blob.tolist()))  # noqa: S301 - the training's own checkpoint
    torch.set_rng_state(states["torch"])
    random.setstate(states["python"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    if "numpy" in states:
        importlib.import_module("numpy").random.set_state(states["numpy"])
