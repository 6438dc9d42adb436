"""The handler ``sequence``: bases or amino acids in, a label and its score out."""

from typing import Any

import torch

from slipway_handlers import classes, signature, texts
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.requests import answer_all
from slipway_handlers.sequences import letters
from slipway_handlers.sequences.settings import SequenceSettings


class SequenceHandler(ModelHandler):
    """Loads the archive's model, in any format, and gives it sequences.

    The model takes what `letters.encode` makes of them and returns logits of shape (n, classes).
    """

    def initialize(self, context: Any) -> None:
        """Read the settings and load the model; raises SettingsError or SignatureError."""
        told, settings = signature.of_archive(context)
        self.settings = SequenceSettings.read(settings)
        self.labels = told.labels
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> letters.Letters:
        """Return the letters of a request's sequence; raises BadInputError."""
        return letters.read(body, self.settings)

    def compute(self, batch: list[letters.Letters]) -> list[dict[str, Any]]:
        """Return the labels of several sequences."""
        output = self.inference(torch.from_numpy(letters.encode(batch, self.settings)))
        scores = output.float().cpu().numpy()
        found = classes.best(scores, len(batch), self.mapping or self.labels, self.settings.classes)
        return [texts.labelled(each) for each in found]
