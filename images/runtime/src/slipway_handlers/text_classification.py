"""The handler ``text-classification``: a text in, its label and the label's score out."""

from pathlib import Path
from typing import Any

import torch

from slipway_handlers import classes, signature, texts
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import TextSettings


class TextClassifier(ModelHandler):
    """Loads the archive's model, in any format, and gives it texts.

    The model takes numbers of tokens, int64 of shape (n, longest text), filled up behind with the
    tokenizer's padding, and returns logits of shape (n, classes).
    """

    def initialize(self, context: Any) -> None:
        """Read the settings and the tokenizer and load the model; raises ValueError."""
        told, settings = signature.of_archive(context)
        self.settings = TextSettings.read(settings)
        folder = Path(context.system_properties["model_dir"])
        self.tokenizer = texts.tokenizer(folder, self.settings)
        self.labels = told.labels
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> list[int]:
        """Return the numbers of a request's text; raises BadInputError."""
        return texts.read(body, self.tokenizer, self.settings.max_tokens)

    def compute(self, batch: list[list[int]]) -> list[dict[str, Any]]:
        """Return the labels of several texts."""
        output = self.inference(torch.from_numpy(texts.batch(batch, self.tokenizer.padding)))
        scores = output.float().cpu().numpy()
        found = classes.best(scores, len(batch), self.mapping or self.labels, self.settings.classes)
        return [texts.labelled(each) for each in found]
