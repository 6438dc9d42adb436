# mypy: ignore-errors
# It runs where torch is, which has no types here.
"""A teacher's weights and hostile ones in their place, and a training that starts from an input.

`python warm_start.py write FOLDER` writes all of them; `python warm_start.py start NAME` loads the
input of that name, learns on, and prints as JSON what came of it.
"""

import json
import pickle
import resource
import sys
import zipfile
from pathlib import Path

import torch
from torch import nn

import slipway_runtime as slipway

GIB = 1 << 30
STEPS = 10
torch.manual_seed(0)
ROWS = torch.randn(256, 8)
TRUTH = torch.sin(ROWS @ torch.randn(8, 3))
LATER = TRUTH + 0.1 * ROWS[:, :3]
"""What is learned after the start: it is near what the teacher knows."""


def network(outputs=3):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, outputs))


def loss_of(model, wanted):
    return nn.functional.mse_loss(model(ROWS), wanted)


def learn(model, wanted, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(steps):
        loss = loss_of(model, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss_of(model, wanted))


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def bomb(weights, target):
    """Write the same weights, but for one of which a few mebibytes hold a gibibyte."""
    with (
        zipfile.ZipFile(weights) as known,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
    ):
        for each in known.infolist():
            if not each.filename.endswith("/data/0"):
                made.writestr(each, known.read(each), zipfile.ZIP_STORED)
                continue
            with made.open(each.filename, "w", force_zip64=True) as entry:
                for _ in range(64):
                    entry.write(bytes(GIB // 64))


def write(folder):
    teacher = network()
    learn(teacher, TRUTH, 800)
    weights = folder / "model.pt"
    torch.save(teacher.state_dict(), weights)
    torch.save({"0.weight": Evil(folder / "ran")}, folder / "evil.pt")
    (folder / "bare.pt").write_bytes(pickle.dumps(Evil(folder / "ran")))
    torch.save(teacher, folder / "module.pt")
    torch.save(network(outputs=5).state_dict(), folder / "larger.pt")
    (folder / "cut.pt").write_bytes(weights.read_bytes()[:-2000])
    bomb(weights, folder / "bomb.pt")
    print(json.dumps({"loss": float(loss_of(teacher, LATER))}))


def peak():
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def start(name):
    cold = network()
    cold_loss = learn(cold, LATER, STEPS)
    before = peak()
    try:
        warm = slipway.load_input(name, network())
    except Exception as error:
        told = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps({**told, "mib": peak() - before}))
        return
    first = float(loss_of(warm, LATER))
    print(json.dumps({"first": first, "warm": learn(warm, LATER, STEPS), "cold": cold_loss}))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        start(sys.argv[2])
