"""The handler ``tensor``: rows of numbers in, the model's own rows out, as JSON."""

from typing import Any

import torch
from ts.torch_handler.base_handler import BaseHandler

from slipway_handlers import signature, tensors
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import TensorSettings


class TensorHandler(BaseHandler):  # type: ignore[misc]
    """Loads the archive's model as TorchServe's base handler does, and gives it the rows."""

    def initialize(self, context: Any) -> None:
        """Read the settings and load the model; raises SettingsError or SignatureError."""
        told, settings = signature.of_archive(context)
        self.settings = TensorSettings.read(settings, next(iter(told.inputs), None))
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> tensors.Rows:
        """Return a request's rows; raises BadInputError."""
        return tensors.read(body, self.settings)

    def compute(self, batch: list[tensors.Rows]) -> list[Any]:
        """Return the answers to several requests."""
        return tensors.predict(batch, self.ask)

    def ask(self, rows: tensors.Array) -> list[Any]:
        """Return what the model makes of an array of rows, in JSON's own types."""
        return tensors.plain_rows(self.inference(torch.from_numpy(rows)), len(rows))
