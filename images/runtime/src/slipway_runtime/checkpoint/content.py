"""A training's state as Torch Distributed Checkpoint takes it, and back.

See https://docs.pytorch.org/docs/stable/distributed.checkpoint.html
"""

from __future__ import annotations

import copy
import importlib
import json
import random
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from slipway_runtime.termination import say


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
    """Return the states of torch's, Python's and NumPy's generators: JSON as a tensor of bytes."""
    import torch

    version, python, gauss = random.getstate()
    states: dict[str, Any] = {
        "torch": torch.get_rng_state().tolist(),
        "python": [version, list(python), gauss],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state().tolist()
    if "numpy" in sys.modules:
        name, keys, *rest = sys.modules["numpy"].random.get_state()
        states["numpy"] = [name, keys.tolist(), *rest]
    return torch.frombuffer(bytearray(json.dumps(states).encode()), dtype=torch.uint8)


def set_random_state(blob: Any) -> None:
    """Set the generators as `random_state` found them.

    Those of a checkpoint of release 0.2.0, which are a pickle, stay as they are, and so do all
    where a state is not one.
    """
    import torch

    try:
        states = json.loads(bytes(blob.tolist()))
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
        version, python, gauss = states["python"]
        random.setstate((version, tuple(python), gauss))
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(torch.tensor(states["cuda"], dtype=torch.uint8))
        if "numpy" in states:
            importlib.import_module("numpy").random.set_state(tuple(states["numpy"]))
    except (ValueError, KeyError, TypeError, RuntimeError, RecursionError) as error:
        say(f"the random numbers begin anew, as the checkpoint's state of them is none: {error}")
