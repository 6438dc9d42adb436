"""A short training by transformers' Trainer, which dies after a step if it is told to."""

import os
import sys
import tempfile
from pathlib import Path

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from slipway_runtime import checkpoint
from slipway_runtime.transformers import SlipwayCallback, resume


class Net(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.Dropout(0.1), torch.nn.Linear(16, 1)
        )

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.net(x)
        return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}


class Death(TrainerCallback):  # type: ignore[misc]
    def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
        if state.global_step == int(os.environ.get("DIE_AT", "0")):  # type: ignore[attr-defined]
            checkpoint.finish()
            os.kill(os.getpid(), 9)


torch.manual_seed(1)
features = torch.randn(64, 8)
data = [{"x": one, "labels": one.sum().reshape(1)} for one in features]
net = Net()
arguments = TrainingArguments(
    output_dir=tempfile.mkdtemp(),
    max_steps=40,
    per_device_train_batch_size=8,
    use_cpu=os.environ["SLIPWAY_BACKEND"] != "nccl",
    save_strategy="no",
    logging_steps=5,
    report_to=[],
    disable_tqdm=True,
    seed=1,
)
trainer = Trainer(
    model=net, args=arguments, train_dataset=data, callbacks=[SlipwayCallback(), Death()]
)
begin = resume()
sys.stdout.write(f"begin {Path(begin or 'fresh').name}\n")
trainer.train(resume_from_checkpoint=begin)
if trainer.is_world_process_zero():
    total = sum(part.double().sum().item() for part in net.parameters())
    sys.stdout.write(f"end {trainer.state.global_step} {int(trainer.state.epoch or 0)}\n")
    sys.stdout.write(f"weights {total.hex()}\n")
