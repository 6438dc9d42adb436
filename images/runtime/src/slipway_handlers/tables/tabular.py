"""The handler ``tabular``: rows with named columns in, a label or the model's own row out."""

from typing import Any

import torch

from slipway_handlers import signature
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import ClassSettings
from slipway_handlers.tables import answers, columns, declared, features


class TabularHandler(ModelHandler):
    """Loads the archive's model, in any format, and gives it features.

    The model takes float32 of shape (n, features), and returns logits of shape (n, classes) where
    the signature has labels, or else a row of anything for each row.
    """

    def initialize(self, context: Any) -> None:
        """Read the signature and load the model; raises SettingsError or SignatureError."""
        self.told, settings = signature.of_archive(context)
        self.settings = ClassSettings.read(settings)
        declared.check_features(self.told.inputs)
        self.columns = features.narrowed(self.told.inputs)
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> columns.Table:
        """Return a request's rows; raises BadInputError."""
        return features.checked(columns.read(body, self.columns), self.columns)

    def compute(self, batch: list[columns.Table]) -> list[Any]:
        """Return the answers to several requests."""
        return answers.each(batch, self.ask)

    def ask(self, batch: list[columns.Table]) -> list[Any]:
        """Return an answer to each row of several tables."""
        rows = torch.cat([torch.from_numpy(features.of(one, self.columns)) for one in batch])
        output = self.inference(rows)
        return answers.of_model(output, len(rows), self.mapping or self.told.labels, self.settings)
