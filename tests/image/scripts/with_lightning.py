"""A short training by Lightning, which dies after a step if it is told to."""

import os
import sys
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from slipway_runtime import checkpoint
from slipway_runtime.lightning import SlipwayCallback, resume


class Net(lightning.LightningModule):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)
        )

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.01)


class Death(Callback):  # type: ignore[misc]
    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.global_step == int(os.environ.get("DIE_AT", "0")):
            checkpoint.finish()
            if trainer.is_global_zero:
                os.kill(os.getpid(), 9)


lightning.seed_everything(1)
features = torch.randn(64, 8)
data = torch.utils.data.TensorDataset(features, features.sum(1, keepdim=True))
trainer = lightning.Trainer(
    max_epochs=10,
    accelerator="gpu" if os.environ["SLIPWAY_BACKEND"] == "nccl" else "cpu",
    devices=int(os.environ["LOCAL_WORLD_SIZE"]),
    callbacks=[SlipwayCallback(), Death()],
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    logger=False,
)
net = Net()
begin = resume()
sys.stdout.write(f"begin {Path(begin or 'fresh/x').parent.name}\n")
trainer.fit(net, torch.utils.data.DataLoader(data, batch_size=8), ckpt_path=begin)
if trainer.is_global_zero:
    total = sum(part.double().sum().item() for part in net.parameters())
    sys.stdout.write(f"end {trainer.global_step} {trainer.current_epoch}\n")
    sys.stdout.write(f"weights {total.hex()}\n")
