"""A network of 134 million parameters that trains on while a checkpoint of it is written.

Prints the digest of the state as it was when it was saved, and how long the save kept it waiting.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterable

import torch
from torch import nn

import slipway_runtime as slipway

WIDTH, LAYERS, STEPS = 4096, 8, 30


def digest(tensors: Iterable[torch.Tensor]) -> str:
    """Return a digest of tensors' bytes, that of each part in turn."""
    found = hashlib.sha256()
    for one in tensors:
        found.update(one.detach().cpu().contiguous().view(torch.uint8).numpy())
    return found.hexdigest()[:16]


def said(word: str, *values: object) -> None:
    sys.stdout.write(f"{word} {' '.join(map(str, values))}\n")


world = slipway.init()
torch.manual_seed(0)
model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))).to(world.device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
state = {"model": model, "optimizer": optimizer}
begin = slipway.checkpoint.restore(state)


def content() -> str:
    moments = (optimizer.state[one]["exp_avg_sq"] for one in model.parameters())
    return digest((*model.parameters(), *moments))


if begin:
    said("restored", begin, content())
    sys.exit(0)
save_at = {int(step) for step in os.environ["SAVE_AT"].split(",")}
for step in range(1, STEPS + 1):
    features = torch.randn(1024, WIDTH, device=world.device)
    loss = nn.functional.mse_loss(model(features), features)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    slipway.report(step, STEPS, samples=1024, loss=loss)
    if step in save_at:
        slipway.checkpoint.finish()
        saved = content()
        torch.cuda.synchronize()
        began = time.perf_counter()
        slipway.checkpoint.save(step, state, force=True)
        said("saved", step, saved, f"{time.perf_counter() - began:.3f}")
slipway.checkpoint.finish()
said("end", content())
sys.exit(0)
