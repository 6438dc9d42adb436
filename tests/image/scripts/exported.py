# mypy: ignore-errors
# It runs where torch is, which has no types here.
"""Train a small network on digits, and write it in each format, with rows held out.

`python exported.py FOLDER`: model.pt with net.py, model.safetensors, model.pt2, model.onnx,
texts.pt2 with vocab.txt, samples.jsonl, texts.jsonl and signature.json.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from net import Digits
from sklearn.datasets import load_digits
from texts_net import Texts

import slipway_runtime as slipway

WORDS = ["[PAD]", "[UNK]", *(f"w{number}" for number in range(300))]


def safetensors(weights, path):
    """Write weights as the format has it: a header of JSON, and the numbers."""
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in weights.items():
        whole = value.contiguous()
        kind = {torch.float32: "F32", torch.int64: "I64"}[whole.dtype]
        numbers = whole.numpy().tobytes()
        place = [len(data), len(data) + len(numbers)]
        head[name] = {"dtype": kind, "shape": list(whole.shape), "data_offsets": place}
        data += numbers
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def fit(model, rows, labels, epochs):
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(rows)).split(64):
            loss = torch.nn.functional.cross_entropy(model(rows[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def rows_of(path, bodies):
    path.write_text("".join(json.dumps({"body": body}) + "\n" for body in bodies))


def digits(folder):
    """Write the network of pictures, which is served as a table's."""
    data = load_digits()
    pixels = torch.tensor(data.data, dtype=torch.float32)
    classes = torch.tensor(data.target)
    order = torch.randperm(len(pixels))
    seen, held = order[:1400], order[1400:]
    model = Digits()
    fit(model, pixels[seen], classes[seen], 6)
    was_training = model.training
    example = pixels[:8]  # a view of all rows, of which the file must hold none
    slipway.export(model, example, "model.pt2", folder=folder)
    slipway.export(model, (example,), format="onnx", folder=folder)
    assert model.training == was_training
    torch.save(model.state_dict(), folder / "model.pt")
    safetensors(model.state_dict(), folder / "model.safetensors")
    names = [f"p{number}" for number in range(64)]
    bodies = [[dict(zip(names, row.tolist(), strict=True))] for row in pixels[held]]
    rows_of(folder / "samples.jsonl", bodies)
    columns = {name: {"dtype": "float32"} for name in names}
    labels = [str(number) for number in range(10)]
    slipway.signature(columns, labels=labels, sample=bodies[0], folder=folder)
    model.eval()
    accuracy = float((model(pixels[held]).argmax(1) == classes[held]).float().mean())
    print(json.dumps({"accuracy": accuracy, "held": len(held)}))


def texts(folder):
    """Write the network of texts, whose length may be any."""
    numbers = torch.randint(2, len(WORDS), (400, 12))
    labels = (numbers < 150).sum(1).gt(6).long()
    model = Texts(len(WORDS))
    fit(model, numbers, labels, 6)
    slipway.export(model, numbers[:4], "texts.pt2", dynamic=(0, 1), folder=folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    rows_of(folder / "texts.jsonl", [" ".join(WORDS[n] for n in row) for row in numbers[:200]])


def refused(folder):
    """Print what is said of models that cannot be exported."""

    class Branches(torch.nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1

    class Fixed(torch.nn.Module):
        def forward(self, x):
            return x.reshape(2, -1)

    for model in (Branches(), Fixed()):
        try:
            slipway.export(model, torch.ones(4, 3), "no.pt2", folder=folder)
        except ValueError as error:
            print(json.dumps({"refused": str(error)}))


if __name__ == "__main__":
    torch.manual_seed(0)
    place = Path(sys.argv[1])
    digits(place)
    texts(place)
    refused(place)
