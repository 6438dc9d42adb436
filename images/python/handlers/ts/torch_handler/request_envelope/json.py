"""TensorFlow Serving's form: ``{"instances": [...]}`` and ``{"predictions": [...]}``.

https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from base64 import b64decode
from typing import Any

from ts.torch_handler.request_envelope.base import BaseEnvelope, inputs


class JSONEnvelope(BaseEnvelope):
    """Gives the handler the instances of all requests of a batch as one list."""

    _lengths: list[int]

    def parse_input(self, data: Any) -> Any:
        """Return the instances; ``{"b64": TEXT}`` stands for bytes."""
        rows = [[_decoded(one) for one in (inputs(row) or row)["instances"]] for row in data]
        self._lengths = [len(row) for row in rows]
        return [one for row in rows for one in row]

    def format_output(self, data: Any) -> Any:
        """Return the predictions of each request."""
        answers, begin = [], 0
        for length in self._lengths:
            answers.append(json.dumps({"predictions": data[begin : begin + length]}))
            begin += length
        return answers


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if list(value) == ["b64"]:
        return b64decode(value["b64"])
    return {
        key: b64decode(one["b64"]) if isinstance(one, dict) and list(one) == ["b64"] else one
        for key, one in value.items()
    }
