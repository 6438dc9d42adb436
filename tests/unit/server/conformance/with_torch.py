"""Archives of models: the built-in handlers, and the ways in which weights are kept.

Networks are small, and their weights follow from a seed; `weights.py` makes those that are files.
"""

import json
import struct
from base64 import b64encode

from tests.unit.server.conformance.case import Asked, Case, as_json, form
from tests.unit.server.conformance.of_release import OF_RELEASE

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[0.5, -1.0], [0.25, 2.0]]))
            self.layer.bias.copy_(torch.tensor([0.1, -0.3]))

    def forward(self, x):
        return self.layer(x)
"""
"""Two rows of two numbers, whose answers can be told by hand."""
TENSORS = """
import torch

from ts.torch_handler.base_handler import BaseHandler


class Tensors(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([row["body"] for row in data], device=self.device)
"""
RAW = """
from ts.torch_handler.base_handler import BaseHandler


class Raw(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([row["body"] for row in data])

    def postprocess(self, data):
        return list(data)
"""
PICTURES = """
import torch
from torchvision.models.resnet import BasicBlock, ResNet


class Pictures(ResNet):
    def __init__(self):
        torch.manual_seed(17)
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=10)
"""
SMALL = """
import torch


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(18)
        self.layer = torch.nn.Conv2d(3, 6, 3)

    def forward(self, images):
        return self.layer(images).mean(dim=(2, 3))
"""
SEES = """
import torch


class Sees(torch.nn.Module):
    def forward(self, images):
        share = images.mean(dim=(1, 2, 3))
        boxes = torch.tensor([[0.0, 0.5, 3.0, 4.0], [1.0, 1.0, 2.0, 2.0], [0.0, 0.0, 9.0, 9.0]])
        return [
            {
                "boxes": boxes,
                "labels": torch.tensor([1, 2, 7]),
                "scores": torch.stack([one, 1 - one, torch.tensor(0.5)]),
            }
            for one in share
        ]
"""
PARTS = """
import torch


class Parts(torch.nn.Module):
    def forward(self, images):
        return {"out": torch.cat([images, images.flip(2) * 2], dim=1)}
"""
WORDS = """
import torch


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(19)
        self.embedding = torch.nn.EmbeddingBag(400, 8)
        self.layer = torch.nn.Linear(8, 3)

    def forward(self, text, offsets):
        return self.layer(self.embedding(text, offsets))
"""
DIGITS = """
from torchvision import transforms

from ts.torch_handler.image_classifier import ImageClassifier


class Digits(ImageClassifier):
    topk = 2
    image_processing = transforms.Compose([transforms.Resize(12), transforms.ToTensor()])

    def postprocess(self, data):
        return data.argmax(1).tolist()
"""
LOADS = """
import torch

from ts.torch_handler.base_handler import BaseHandler


class Loads(BaseHandler):
    def initialize(self, context):
        self.device = torch.device("cpu")
        self.context = context
        self.model = self.load()
        self.initialized = True

    def preprocess(self, data):
        return torch.tensor([row["body"] for row in data])

    def load(self):
{load}
"""
EXPORTED = LOADS.replace("{load}", "        return torch.export.load('net.pt2').module()")
SAFE = LOADS.replace(
    "{load}",
    """        from net import Net
        from safetensors.torch import load_file

        model = Net()
        model.load_state_dict(load_file('net.safetensors'))
        return model""",
)
ONNX = """
import numpy as np

from ts.torch_handler.base_handler import BaseHandler


class Onnx(BaseHandler):
    def preprocess(self, data):
        return np.array([row["body"] for row in data], dtype=np.float32)

    def inference(self, data):
        return self.model.run(None, {self.model.get_inputs()[0].name: data})[0]
"""
STEPS = """
import torch

from ts.handler_utils.timer import timed
from ts.torch_handler.base_handler import BaseHandler


class Steps(BaseHandler):
    @timed
    def preprocess(self, data):
        return torch.tensor([row["body"] for row in data])

    def describe_handle(self):
        return {"described": True}
"""

TEN = json.dumps({str(number): f"class {number}" for number in range(10)})
LABELS = '{"0": "zero", "1": ["n1", "one"], "2": "two", "7": "seven"}'
WIDTH, HEIGHT = 300, 260


def picture() -> bytes:
    """Return a colored picture as a BMP file, which any library reads."""
    rows = b"".join(
        bytes([x % 256, y % 256, x * y % 256]) for y in range(HEIGHT) for x in range(WIDTH)
    )
    head = struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return head + info + rows


def pixels(size: int) -> list[list[list[float]]]:
    """Return a picture of three colors as numbers."""
    return [
        [[(color + x * y) / (size * size + 2) for x in range(size)] for y in range(size)]
        for color in range(3)
    ]


PICTURE = picture()
TEXTS = (
    "It is good",
    "It's <b>not</b> GOOD!",
    "they don't say: &amp; it was b\u00e4d",
    "unheard of",
)
WITH_TORCH: dict[str, Case] = {
    "eager": Case(
        "BaseHandler with a model file",
        {"handler.py": TENSORS, "net.py": NET},
        [as_json([1.0, 2.0]), as_json([0.5, -3.0]), as_json("no numbers")],
        model={"modelFile": "net.py"},
    ),
    "tensors": Case(
        "tensors as answers",
        {"handler.py": RAW, "net.py": NET},
        [as_json([1.0, 2.0])],
        model={"modelFile": "net.py"},
    ),
    "explained": Case(
        "explanations by the handler's own get_insights",
        {
            "handler.py": TENSORS
            + "\n    def get_insights(self, tensors, inputs, target):"
            + "\n        return [{'inputs': inputs, 'target': target}]\n",
            "net.py": NET,
        },
        [
            as_json([1.0, 2.0]),
            Asked(b"[1.0, 2.0]", tail="?explain"),
            Asked(b"[1.0, 2.0]", door="explanations"),
        ],
        model={"modelFile": "net.py"},
    ),
    "classifier": Case(
        "the built-in image_classifier with a ResNet-18",
        {"pictures.py": PICTURES, "index_to_name.json": TEN},
        [
            Asked(PICTURE, "image/bmp"),
            form(("data", "image/bmp", PICTURE)),
            Asked(b64encode(PICTURE), "text/plain"),
            as_json(pixels(64)),
            Asked(b"no picture", "image/png"),
            Asked(b"", "image/png"),
        ],
        handler="image_classifier",
        model={"modelFile": "pictures.py"},
    ),
    "unlabeled": Case(
        "classes without a name",
        {"small.py": SMALL, "index_to_name.json": LABELS},
        [as_json(pixels(6))],
        handler="image_classifier",
        model={"modelFile": "small.py"},
    ),
    "attributed": Case(
        "explanations of the built-in image_classifier, by captum",
        {"small.py": SMALL},
        [as_json(pixels(6)), as_json({}), Asked(as_json(pixels(6)).body, door="explanations")],
        handler="image_classifier",
        model={"modelFile": "small.py"},
    ),
    "digits": Case(
        "a handler that inherits image_classifier",
        {"handler.py": DIGITS, "small.py": SMALL},
        [Asked(PICTURE, "image/bmp"), as_json(pixels(8))],
        model={"modelFile": "small.py"},
    ),
    "detector": Case(
        "the built-in object_detector",
        {"sees.py": SEES, "index_to_name.json": LABELS},
        [as_json(pixels(5)), Asked(PICTURE, "image/bmp"), as_json([[[0.0]], [[0.0]], [[0.0]]])],
        handler="object_detector",
        model={"modelFile": "sees.py"},
    ),
    "segmenter": Case(
        "the built-in image_segmenter",
        {"parts.py": PARTS},
        [as_json(pixels(4)), Asked(b"no picture", "image/png")],
        handler="image_segmenter",
        model={"modelFile": "parts.py"},
    ),
    "text": Case(
        "the built-in text_classifier",
        {"words.py": WORDS, "index_to_name.json": LABELS},
        [Asked(text.encode(), "text/plain") for text in TEXTS],
        handler="text_classifier",
        model={"modelFile": "words.py"},
        made=["source_vocab.pt"],
    ),
    "state": Case(
        "a state_dict for a model file",
        {"handler.py": TENSORS, "net.py": NET},
        [as_json([1.0, 2.0])],
        model={"modelFile": "net.py", "serializedFile": "state.pt"},
        made=["state.pt"],
    ),
    "scripted": Case(
        "a TorchScript file",
        {"handler.py": TENSORS},
        [as_json([1.0, 2.0]), as_json([[1.0, 2.0], [0.0, 1.0]])],
        model={"serializedFile": "scripted.pt"},
        made=["scripted.pt"],
    ),
    "compiled": Case(
        "torch.compile by model-config.yaml",
        {"handler.py": TENSORS, "net.py": NET},
        [as_json([1.0, 2.0]), as_json([3.0, 2.0])],
        config="pt2:\n  compile:\n    enable: true\n    backend: aot_eager\n",
        model={"modelFile": "net.py"},
    ),
    "backend": Case(
        "torch.compile by a backend's name, as before TorchServe 0.12",
        {"handler.py": TENSORS, "net.py": NET},
        [as_json([1.0, 2.0])],
        config="pt2: eager\n",
        model={"modelFile": "net.py"},
    ),
    "exported": Case(
        "a program of torch.export, which the handler loads",
        {"handler.py": EXPORTED},
        [as_json([1.0, 2.0])],
        made=["net.pt2"],
    ),
    "safetensors": Case(
        "weights in safetensors, which the handler loads",
        {"handler.py": SAFE, "net.py": NET},
        [as_json([1.0, 2.0])],
        made=["net.safetensors"],
    ),
    "onnx": Case(
        "an ONNX file, run by ONNX Runtime",
        {"handler.py": ONNX},
        [as_json([1.0, 2.0]), as_json("no numbers")],
        model={"serializedFile": "net.onnx"},
        made=["net.onnx"],
    ),
    "steps": Case(
        "a handler whose steps are timed, and descriptions",
        {"handler.py": STEPS, "net.py": NET},
        [as_json([1.0, 2.0]), Asked(b"[1.0, 2.0]", headers={"describe": "True"})],
        config="handler:\n  profile: true\n",
        model={"modelFile": "net.py"},
    ),
    **OF_RELEASE,
}
"""Archives that need torch."""
