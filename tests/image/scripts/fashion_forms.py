# mypy: ignore-errors
# It runs where torch is, which has no types here.
"""Export the network of examples/images/fashion.yaml, and tell how often its forms are right.

`python fashion_forms.py export OUTPUT ROWS` in the trainer's image writes model.pt2 and the first
ROWS pictures held out as samples.jsonl; `python fashion_forms.py score FOLDER NAME=FILE...` in the
Python server's prints the accuracy of each file on all pictures held out.
"""

import base64
import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

MEAN, STD = 0.286, 0.353


def held(inputs):
    """Return the pictures held out, of shape (n, 28, 28), and their classes."""
    with gzip.open(inputs / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(inputs / "t10k-labels-idx1-ubyte.gz") as file:
        return pixels, np.frombuffer(file.read(), np.uint8, offset=8)


def export(output, rows):
    from net import Fashion
    from png import png

    import slipway_runtime as slipway

    pixels, _ = held(Path(os.environ["SLIPWAY_INPUTS_DIR"], "fashion"))
    model = Fashion()
    model.load_state_dict(torch.load(output / "model.pt", weights_only=True))
    slipway.export(model, torch.zeros(2, 1, 28, 28), folder=output)
    with (output / "samples.jsonl").open("w") as file:
        for picture in pixels[:rows]:
            told = base64.b64encode(png(picture)).decode()
            file.write(json.dumps({"base64": told, "contentType": "image/png"}) + "\n")


def score(inputs, files):
    from slipway_handlers.formats.model import LOADERS

    pixels, classes = held(inputs)
    pictures = ((torch.tensor(pixels).float() / 255 - MEAN) / STD).unsqueeze(1)
    with torch.inference_mode():
        for name, path in files:
            model = LOADERS[path.suffix](path, torch.device("cpu"))
            told = torch.cat([model(part).argmax(1) for part in pictures.split(500)])
            print(json.dumps({name: float((told.numpy() == classes).mean())}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        pairs = (pair.split("=") for pair in sys.argv[3:])
        score(Path(sys.argv[2]), [(name, Path(path)) for name, path in pairs])
