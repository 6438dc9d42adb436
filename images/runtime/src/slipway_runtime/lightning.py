"""Progress, checkpoints and stop criteria of a Lightning Trainer.

from slipway_runtime.lightning import SlipwayCallback, resume

trainer = Trainer(callbacks=[SlipwayCallback()], ...)
trainer.fit(model, data, ckpt_path=resume())
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from typing import Any

from slipway_runtime import checkpoint, helper

FILE_NAME = "lightning.ckpt"
"""What a checkpoint consists of: Lightning's own file, or folder for sharded strategies."""


def _callback_class() -> Any:
    """Return the base class of the flavour of Lightning that the script uses."""
    flavour = "pytorch_lightning" if "lightning.pytorch" not in sys.modules else "lightning.pytorch"
    if flavour not in sys.modules:
        flavour = "lightning.pytorch" if _is_there("lightning") else "pytorch_lightning"
    return importlib.import_module(flavour).Callback


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def resume() -> str | None:
    """Return the newest checkpoint for ``fit(ckpt_path=...)``; None where there is none.

    Raises `checkpoint.CheckpointError` where it cannot be had.
    """
    _, folder = checkpoint.restore_files()
    return str(folder / FILE_NAME) if folder else None


class SlipwayCallback(_callback_class()):  # type: ignore[misc]
    """Reports each step, saves where ``spec.checkpoint`` says so, ends where ``spec.stop`` does."""

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report the step with what the module has logged; save and stop where it is time."""
        self._report(trainer, trainer.current_epoch, outputs, _samples(trainer))
        checkpoint.save_files(
            trainer.global_step, lambda folder: trainer.save_checkpoint(folder / FILE_NAME)
        )
        self._stop(trainer)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Report the epoch as done."""
        self._report(trainer, trainer.current_epoch + 1, None, None)
        self._stop(trainer)

    def on_fit_end(self, trainer: Any, module: Any) -> None:
        """Let the last save be whole before the process group goes."""
        checkpoint.finish()

    def _report(self, trainer: Any, epoch: int, outputs: Any, samples: float | None) -> None:
        metrics = dict(trainer.callback_metrics)
        if isinstance(outputs, dict) and "loss" in outputs:
            metrics.setdefault("loss", outputs["loss"])
        total = trainer.estimated_stepping_batches
        planned = int(total) if math.isfinite(total) and total >= 0 else None
        helper.report(trainer.global_step, planned, metrics, epoch=epoch, samples=samples)

    def _stop(self, trainer: Any) -> None:
        if helper.should_stop():
            trainer.should_stop = True


def _samples(trainer: Any) -> float | None:
    """Return the samples of one step on all processes, if the data loader tells its batch."""
    size = getattr(trainer.train_dataloader, "batch_size", None)
    return size * trainer.world_size if isinstance(size, int) else None
