"""The handler ``image-classification``: a picture in, the best classes and their scores out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from slipway_handlers import classes, images, signature
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import ImageSettings


class ImageClassifier(ModelHandler):
    """Loads the archive's model, in any format, and gives it pictures.

    The model takes floats of shape (n, channels, size, size) and returns logits of shape
    (n, classes).
    """

    def initialize(self, context: Any) -> None:
        """Read the settings and load the model; raises SettingsError or SignatureError."""
        told, settings = signature.of_archive(context)
        self.settings = ImageSettings.read(settings)
        self.labels = told.labels
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> npt.NDArray[np.float32]:
        """Return a request's picture; raises BadInputError."""
        return images.read(body, self.settings)

    def compute(self, batch: list[npt.NDArray[np.float32]]) -> list[dict[str, float]]:
        """Return the classes of several pictures."""
        output = self.inference(torch.from_numpy(np.stack(batch)))
        scores = output.float().cpu().numpy()
        return classes.best(scores, len(batch), self.mapping or self.labels, self.settings.classes)
