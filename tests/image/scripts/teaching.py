"""Asks the helper for losses and weights, and tells what it found, a word and a value a line."""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import slipway_runtime as slipway

T, ALPHA = 3.0, 0.7
student = torch.tensor([[1.0, 0.0, -2.0], [0.5, 0.5, 0.5]], requires_grad=True)
teacher = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]], requires_grad=True)
labels = torch.tensor([0, 1])


def softened(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(each / temperature) for each in logits]
    return [power / sum(powers) for power in powers]


def by_hand(rows: list[int], labelled: list[int]) -> float:
    """Return the loss by plain sums, over all rows and over those with labels."""
    soft = hard = 0.0
    for at in rows:
        p, q = softened(teacher[at].tolist(), T), softened(student[at].tolist(), T)
        soft += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / len(rows)
    for at in labelled:
        hard -= math.log(softened(student[at].tolist(), 1.0)[int(labels[at])]) / len(labelled)
    return ALPHA * T * T * soft + (1 - ALPHA) * hard


def loss(told: torch.Tensor | None = labels) -> torch.Tensor:
    return slipway.distillation(student, teacher, told, temperature=T, alpha=ALPHA)


def tell(word: str, value: object) -> None:
    print(word, json.dumps(value), flush=True)


tell("all-labels", abs(float(loss()) - by_hand([0, 1], [0, 1])) < 1e-5)
tell("one-label", abs(float(loss(torch.tensor([0, -100]))) - by_hand([0, 1], [0])) < 1e-5)
tell("no-label", abs(float(loss(torch.tensor([-100, -100]))) - by_hand([0, 1], [])) < 1e-5)
tell("labels-unknown", abs(float(loss(None)) - by_hand([0, 1], [])) < 1e-5)
same = slipway.distillation(teacher, teacher, temperature=T, alpha=1.0)
tell("nothing-to-learn", abs(float(same)) < 1e-6)
loss().backward()
tell("student-learns", bool(student.grad is not None and student.grad.abs().sum() > 0))
tell("teacher-is-left-alone", teacher.grad is None)
WRONG: dict[str, Callable[[], object]] = {
    "shapes": lambda: slipway.distillation(student, teacher[:1]),
    "temperature": lambda: slipway.distillation(student, teacher, temperature=0.0),
    "alpha": lambda: slipway.distillation(student, teacher, alpha=1.5),
}
for name, wrong in WRONG.items():
    try:
        wrong()
        tell(f"refused-{name}", False)
    except ValueError:
        tell(f"refused-{name}", True)

torch.manual_seed(0)
big, small = nn.Linear(4, 3), nn.Linear(4, 3)
rows = torch.randn(64, 4)
folder = Path(sys.argv[1], "inputs/teacher")
(folder / "MAR-INF").mkdir(parents=True)
torch.save(big.state_dict(), folder / "weights.pt")
manifest = {"model": {"serializedFile": "weights.pt"}}
(folder / "MAR-INF/MANIFEST.json").write_text(json.dumps(manifest))
os.environ["SLIPWAY_INPUTS_DIR"] = str(folder.parent)
wise = slipway.teacher("teacher", nn.Linear(4, 3))
tell("teacher-has-the-weights", bool(torch.equal(wise(rows), big(rows))))
tell("teacher-answers-alone", not wise.training and not wise.weight.requires_grad)
warm = slipway.load_input("teacher", nn.Linear(4, 3))
tell("warm-start-learns-on", warm.training and warm.weight.requires_grad)
optimizer = torch.optim.Adam(small.parameters(), lr=0.05)
none = torch.full((64,), -100)
losses = [slipway.distil(small, wise, [(rows, none)] * 10, optimizer) for _ in range(20)]
tell("loss-falls", losses[-1] < losses[0] / 100)
agree = (small(rows).argmax(1) == big(rows).argmax(1)).float().mean()
tell("student-agrees", float(agree) > 0.95)
tell("no-batches", math.isnan(slipway.distil(small, wise, [], optimizer)))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("evil true",)


torch.save({"weight": Evil()}, folder / "weights.pt")
try:
    slipway.load_input("teacher", nn.Linear(4, 3))
    tell("pickle-runs-nothing", False)
except Exception as error:
    tell("pickle-runs-nothing", "weights_only" in str(error) or "Weights only" in str(error))
