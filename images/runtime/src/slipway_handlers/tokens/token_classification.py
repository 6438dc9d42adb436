"""The handler ``token-classification``: a text in, a label for each of its words out."""

from pathlib import Path
from typing import Any

import torch

from slipway_handlers import classes, signature
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import ClassSettings, TokenSettings
from slipway_handlers.tokens import spans


class TokenClassifier(ModelHandler):
    """Loads the archive's model, in any format, and gives it texts.

    The model takes numbers of tokens, int64 of shape (n, longest text), filled up behind with the
    tokenizer's padding, and returns logits of shape (n, longest text, classes).
    """

    def initialize(self, context: Any) -> None:
        """Read the settings and the tokenizer and load the model; raises ValueError."""
        told, settings = signature.of_archive(context)
        self.settings = TokenSettings.read(settings)
        self.labels = told.labels
        folder = Path(context.system_properties["model_dir"])
        self.tokenizer = spans.tokenizer(folder, self.settings)
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> spans.Words:
        """Return a request's words; raises BadInputError."""
        return spans.read(body, self.tokenizer, self.settings.max_tokens)

    def compute(self, batch: list[spans.Words]) -> list[dict[str, Any]]:
        """Return the words' labels of several texts."""
        output = self.inference(torch.from_numpy(spans.numbers(batch, self.tokenizer.padding)))
        scores, labels = output.float().cpu().numpy(), self.mapping or self.labels
        if scores.ndim != 3 or len(scores) != len(batch):
            raise ValueError(
                f"The model's output has the shape {list(scores.shape)}, and not [{len(batch)}, "
                "longest text, classes]."
            )
        best = [classes.best(rows, len(rows), labels, ClassSettings(top=1)) for rows in scores]
        told = zip(batch, best, strict=True)
        return [spans.answer(words, rows, self.settings.outside) for words, rows in told]
