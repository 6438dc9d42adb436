"""The files of the tiny model: a line is fitted to points of ``y = 2x + 1``."""

SLOPE, OFFSET = 2.0, 1.0
"""What the model has to have learnt."""

TRAIN = f"""\
import os
import pathlib

import torch
from model import Line

model = Line()
x = torch.linspace(-1, 1, 32).unsqueeze(1)
y = {SLOPE} * x + {OFFSET}
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for _ in range(100):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print(f"The loss is {{loss.item():.2e}}.")
torch.save(model.state_dict(), pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "line.pt"))
"""

MODEL = """\
import torch


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x)
"""

HANDLER = """\
import json

import torch
from ts.torch_handler.base_handler import BaseHandler


class LineHandler(BaseHandler):
    def handle(self, data, context):
        bodies = [request.get("data") or request.get("body") for request in data]
        return [self.answer(body) for body in bodies]

    def answer(self, body):
        numbers = json.loads(body) if isinstance(body, (bytes, bytearray, str)) else body
        with torch.inference_mode():
            return self.model(torch.tensor(numbers).unsqueeze(1)).squeeze(1).tolist()
"""

FILES = {"train.py": TRAIN, "model.py": MODEL, "handler.py": HANDLER}
