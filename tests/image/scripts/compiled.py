# mypy: ignore-errors
# It runs where torch is, which has no types here.
"""Write a small network compiled and not, or tell how long each form takes for a request.

`python compiled.py export FOLDER`, in an image with a compiler, writes model.pt2, which is
compiled, program/model.pt2, model.pt, signature.json, and answers.json with rows and the network's
answers; and words/model.pt2 of a network that looks up seven words. `python compiled.py times
FOLDER`, in the Python server's image, prints each form's processor time for one row and for 64, on
one thread.
"""

import json
import os
import sys
from pathlib import Path

import torch
from net import Digits


class Words(torch.nn.Module):
    """The mean of its words' vectors."""

    def __init__(self):
        super().__init__()
        self.vectors = torch.nn.Embedding(7, 3)

    def forward(self, numbers):
        return (self.vectors(numbers) * 2).mean(1)


def export(folder):
    import slipway_runtime as slipway

    torch.manual_seed(0)
    net = Digits().eval()
    rows = torch.rand(64, 64) * 16
    slipway.export(net, rows[:2], format="aoti", folder=folder)
    slipway.export(net, rows[:2], folder=folder / "program")
    torch.save(net.state_dict(), folder / "model.pt")
    # It says nothing of shapes, so that none is looked at before the model's own.
    (folder / "signature.json").write_text('{"slipwaySignature": 1}')
    numbers = torch.zeros(2, 5, dtype=torch.int64)
    slipway.export(Words(), numbers, format="aoti", dynamic=(0, 1), folder=folder / "words")
    slipway.signature(numbers, folder=folder / "words")
    with torch.inference_mode():
        answers = net(rows).tolist()
    (folder / "answers.json").write_text(json.dumps([rows.tolist(), answers]))


def times(folder):
    from slipway_handlers.formats.model import LOADERS
    from slipway_pods.package.optimize import turns

    eager = Digits().eval()
    eager.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    files = {"eager": folder / "model.pt", "program": folder / "program" / "model.pt2"}
    files["compiled"] = folder / "model.pt2"
    load, device = LOADERS[".pt2"], torch.device("cpu")
    models = {"eager": eager, **{n: load(files[n], device) for n in ("program", "compiled")}}
    rows = torch.tensor(json.loads((folder / "answers.json").read_text())[0])
    with torch.inference_mode():
        one = turns.milliseconds(models, [(row.unsqueeze(0),) for row in rows])
        all_of_them = turns.milliseconds(models, [(rows,)] * turns.MOST_CALLS)
    for name, file in files.items():
        told = {"oneRow": one[name], "allRows": all_of_them[name], "bytes": file.stat().st_size}
        print(json.dumps({"form": name, **told}))


if __name__ == "__main__":
    assert os.environ["OMP_NUM_THREADS"] == "1"
    (export if sys.argv[1] == "export" else times)(Path(sys.argv[2]))
