"""Restore a state from checkpoints that somebody else wrote over; says what came of each."""

import os
import pickle
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import nn

from slipway_runtime.checkpoint import content, restoring
from slipway_runtime.checkpoint.settings import CheckpointError, Settings

ROOT = Path(tempfile.mkdtemp())
PWNED = ROOT / "pwned"
NAME = "step-000000000010-abcdef12-00000001"
SETTINGS = Settings(ROOT, ROOT, ROOT, ROOT, "abcdef12", None, None, 0, 1, 0, 1, True)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {PWNED}",)


def made() -> dict[str, Any]:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    kinds = torch.ones(2, dtype=torch.bfloat16)
    return {
        "model": model,
        "optimizer": optimizer,
        "note": "fresh",
        "kinds": kinds,
        "list": [1, None],
    }


def save(note: Any) -> None:
    shutil.rmtree(ROOT / NAME, ignore_errors=True)
    whole = {**content.gather(made()), "note": note}
    whole[content.random_key(0, 1)] = content.random_state()
    dcp.save(whole, storage_writer=dcp.FileSystemWriter(ROOT / NAME), no_dist=True)


def load() -> dict[str, Any]:
    state = made()
    restoring.load(state, SETTINGS, {"name": NAME})
    return state


def attempt(what: str) -> None:
    try:
        load()
        told = "was loaded"
    except CheckpointError as error:
        told = str(error)
    sys.stdout.write(f"{what} {told} {PWNED.exists()}\n")


restoring.fetch = lambda settings, name, paths: ROOT / name  # the files are here already
save("saved")
numbers = torch.rand(3).tolist(), random.random()  # noqa: S311 - no secret
state = load()
same = (torch.rand(3).tolist(), random.random()) == numbers  # noqa: S311 - no secret
sys.stdout.write(f"honest {state['note']} {same}\n")
description = ROOT / NAME / ".metadata"
for bad in (pickle.dumps(Evil()), pickle.dumps(torch.load), b"", description.read_bytes()[:50]):
    description.write_bytes(bad)
    attempt("description")
save(Evil())
PWNED.unlink(missing_ok=True)
attempt("value")
content.set_random_state(torch.frombuffer(bytearray(pickle.dumps(Evil())), dtype=torch.uint8))
sys.stdout.write(f"random {PWNED.exists()}\n")
sys.exit(0)
