"""Progress, checkpoints and stop criteria of transformers' Trainer.

from slipway_runtime.transformers import SlipwayCallback, resume

trainer = Trainer(..., callbacks=[SlipwayCallback()])
trainer.train(resume_from_checkpoint=resume())
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from slipway_runtime import checkpoint, helper
from slipway_runtime.reporting import agreement


def resume() -> str | None:
    """Return the newest checkpoint for ``train(resume_from_checkpoint=...)``; None for none.

    Raises `checkpoint.CheckpointError` where it cannot be had.
    """
    _, folder = checkpoint.restore_files()
    return str(folder) if folder else None


class SlipwayCallback(TrainerCallback):  # type: ignore[misc]
    """Reports each step, keeps each of the Trainer's checkpoints, and asks for those that are due.

    The Trainer writes its checkpoints into its ``output_dir`` as ever; what is kept are copies.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Remember what was logged, for the next report."""
        for name, value in (logs or {}).items():
            if isinstance(value, (int, float)) and name != "epoch":
                self._metrics[name] = float(value)
        self._report(args, state, None)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Report the step, and tell the Trainer to save or stop where it is time."""
        self._report(args, state, args.train_batch_size * args.world_size)
        if checkpoint.due(state.global_step):
            control.should_save = True
        if helper.should_stop():
            control.should_training_stop = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep what the Trainer has saved; ends the script where the pod stops."""
        made = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        checkpoint.save_files(state.global_step, lambda folder: _copy(made, folder), force=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let the last save be whole."""
        checkpoint.finish()

    def _report(self, args: Any, state: Any, samples: float | None) -> None:
        steps = samples and samples * args.gradient_accumulation_steps
        helper.report(
            state.global_step,
            state.max_steps if state.max_steps > 0 else None,
            self._metrics,
            epoch=int(state.epoch or 0),
            samples=steps,
        )


def _copy(made: Path, folder: Path) -> None:
    """Copy a checkpoint on each node, once all its processes have written their part."""
    agreement.any_of(False)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        shutil.copytree(made, folder, dirs_exist_ok=True)
