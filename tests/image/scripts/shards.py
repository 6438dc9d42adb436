"""A short training with FSDP2, each rank with a part of each parameter; prints its end."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import slipway_runtime as slipway

world = slipway.init()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 1))
model.to(world.device)
mesh = init_device_mesh(torch.device(world.device).type, (world.size,))
for part in (model[0], model[2], model):
    fully_shard(part, mesh=mesh)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "note": "fresh"}
torch.manual_seed(100 + world.rank)
begin = slipway.checkpoint.restore(state)
sys.stdout.write(f"begin {begin} {state['note']} {scheduler.last_epoch}\n")
for step in range(begin + 1, int(os.environ.get("STEPS", "20")) + 1):
    features = torch.randn(4, 8, device=world.device)
    loss = nn.functional.mse_loss(model(features), features.sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    state["note"] = f"after {step}"
    if str(step) == os.environ.get("STOP_AT"):
        Path(os.environ["SLIPWAY_RUN_DIR"], "stopping").touch()
        dist.barrier()
    slipway.report(step, loss=loss)
    slipway.checkpoint.save(step, state, force=str(step) == os.environ.get("SAVE_AT"))
    if str(step) == os.environ.get("DIE_AT"):
        slipway.checkpoint.finish()
        if world.rank == world.size - 1:
            os.kill(os.getpid(), 9)
slipway.checkpoint.finish()
whole = torch.cat([part.full_tensor().detach().flatten() for part in model.parameters()])
moments = [optimizer.state[part]["exp_avg"].full_tensor().flatten() for part in model.parameters()]
if world.is_main:
    sys.stdout.write(
        f"weights {whole.double().sum().item().hex()} {torch.cat(moments).sum().item().hex()}\n"
    )
sys.exit(0)
