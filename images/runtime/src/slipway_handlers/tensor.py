"""The handler ``tensor``: rows of numbers in, the model's own rows out, as JSON."""

from typing import Any

import torch

from slipway_handlers import signature, tensors
from slipway_handlers.formats.model import ModelHandler
from slipway_handlers.named import rows as named
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import TensorSettings


class TensorHandler(ModelHandler):
    """Loads the archive's model, in any format, and gives it the rows.

    A model of several inputs gets a tensor of each, in the signature's order.
    """

    def initialize(self, context: Any) -> None:
        """Read the settings and load the model; raises SettingsError or SignatureError."""
        self.told, settings = signature.of_archive(context)
        self.inputs = named.settings(self.told.inputs) if len(self.told.inputs) > 1 else {}
        self.settings = TensorSettings.read(settings, next(iter(self.told.inputs), None))
        super().initialize(context)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        if self.inputs:
            return answer_all(data, context, self.read_named, self.compute_named)
        return answer_all(data, context, self.read, self.compute)

    def read(self, body: Any) -> tensors.Rows:
        """Return a request's rows; raises BadInputError."""
        return tensors.read(body, self.settings)

    def read_named(self, body: Any) -> named.Named:
        """Return a request's rows of several inputs; raises BadInputError."""
        return named.read(body, self.inputs)

    def compute(self, batch: list[tensors.Rows]) -> list[Any]:
        """Return the answers to several requests."""
        return tensors.predict(batch, lambda rows: self.ask([rows]))

    def compute_named(self, batch: list[named.Named]) -> list[Any]:
        """Return the answers to several requests of several inputs."""
        return named.predict(batch, self.ask)

    def ask(self, arrays: list[tensors.Array]) -> list[Any]:
        """Return what the model makes of rows, an array for each input, in JSON's own types."""
        first, *others = (torch.from_numpy(rows) for rows in arrays)
        output = self.inference(first, *(rows.to(self.device) for rows in others))
        named_output = named.named_outputs(output, self.told.outputs)
        return tensors.plain_rows(named_output, len(arrays[0]))
