"""The handler ``sklearn``: rows in, what an estimator of scikit-learn makes of each of them out."""

from pathlib import Path
from typing import Any

from slipway_handlers import signature, tensors
from slipway_handlers.requests import answer_all
from slipway_handlers.settings import ClassSettings, TensorSettings
from slipway_handlers.tables import answers, columns, declared, estimators


class SklearnHandler:
    """Loads the archive's estimator; its rows have named columns, or are numbers.

    They are numbers where the signature declares one input of several numbers, or none.
    """

    def initialize(self, context: Any) -> None:
        """Read the signature and load the estimator; raises ValueError or RuntimeError."""
        self.told, settings = signature.of_archive(context)
        self.settings = ClassSettings.read(settings)
        inputs = self.told.inputs
        self.numbers = None if declared.is_table(inputs) else declared.numbers(inputs)
        folder = Path(context.system_properties["model_dir"])
        self.model = estimators.load(folder / context.manifest["model"]["serializedFile"])

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests."""
        if self.numbers is None:
            return answer_all(data, context, self.read_table, self.compute_tables)
        return answer_all(data, context, self.read_rows, self.compute_rows)

    def read_table(self, body: Any) -> columns.Table:
        """Return a request's rows with named columns; raises BadInputError."""
        return columns.read(body, self.told.inputs)

    def read_rows(self, body: Any) -> tensors.Rows:
        """Return a request's rows of numbers; raises BadInputError."""
        rows = tensors.read(body, self.numbers or TensorSettings())
        columns.check_rows(len(rows.values))
        return rows

    def compute_tables(self, batch: list[columns.Table]) -> list[Any]:
        """Return the answers to several requests with named columns."""
        return answers.each(batch, self.ask_tables)

    def compute_rows(self, batch: list[tensors.Rows]) -> list[Any]:
        """Return the answers to several requests of numbers."""
        return tensors.predict(batch, self.ask)

    def ask_tables(self, batch: list[columns.Table]) -> list[Any]:
        """Return an answer to each row of several tables."""
        return self.ask(estimators.as_rows(batch, self.told.inputs, self.model))

    def ask(self, rows: Any) -> list[Any]:
        """Return an answer to each row as the estimator takes it."""
        return estimators.predict(self.model, rows, self.settings, self.told.labels)
