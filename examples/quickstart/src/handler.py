"""TorchServe's handler for the quickstart: rows of features in, predictions out.

A request is a JSON list of rows with 10 numbers each; its answer a JSON list with one number for
each row. Requests that TorchServe batches together are computed together; each gets its own answer,
and one with bad input gets a 400 without harm to the others.

TorchServe wants exactly one class in this file.
"""

import json
import math
from typing import Any

import torch
from ts.torch_handler.base_handler import BaseHandler

FEATURES = 10
MAX_ROWS = 10_000


def parse(request: dict[str, Any]) -> list[list[float]]:
    """Return the rows of one request; raises ValueError for anything but rows of 10 numbers."""
    body = request.get("data") or request.get("body")
    if isinstance(body, (bytes, bytearray, str)):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise ValueError(f"The body is no JSON: {error}.") from error
    if not isinstance(body, list) or not 0 < len(body) <= MAX_ROWS:
        raise ValueError(
            f"Send, as application/json, a list of 1 to {MAX_ROWS} rows of {FEATURES} numbers."
        )
    for number, row in enumerate(body):
        if not isinstance(row, list) or len(row) != FEATURES or not all(map(is_number, row)):
            raise ValueError(f"Row {number} is not a list of {FEATURES} finite numbers.")
    return body


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number; true and false are none."""
    return type(value) in (int, float) and math.isfinite(value)


class DiabetesHandler(BaseHandler):
    """Loads the archive's model as TorchServe's base handler does, and answers batches."""

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch of requests, each with a list of numbers or an error of its own."""
        answers: list[Any] = []
        for index, request in enumerate(data):
            try:
                answers.append(parse(request))
            except ValueError as error:
                context.set_response_status(code=400, phrase="Bad Request", idx=index)
                answers.append({"code": 400, "type": "BadInput", "message": str(error)})
        predicted = iter(self.predict([rows for rows in answers if isinstance(rows, list)]))
        return [next(predicted) if isinstance(rows, list) else rows for rows in answers]

    def predict(self, requests: list[list[list[float]]]) -> list[list[float]]:
        """Return the predictions for the rows of several requests, computed at once."""
        rows = [row for request in requests for row in request]
        if not rows:
            return []
        with torch.inference_mode():
            flat = self.model(torch.tensor(rows, device=self.device)).tolist()
        values = iter(flat)
        return [[next(values) for _ in request] for request in requests]
