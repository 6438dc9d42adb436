"""KServe's second protocol, the open inference protocol.

https://github.com/kserve/open-inference-protocol
"""

import json
from typing import Any

import numpy as np
from ts.torch_handler.request_envelope.base import BaseEnvelope, inputs

_KINDS = {"b": "BOOL", "u": "UINT", "i": "INT", "f": "FP"}
"""NumPy's kinds of numbers, as the protocol calls them, before their bits."""


class KServev2Envelope(BaseEnvelope):
    """Gives the handler the tensors of the batch's first request."""

    _names: list[str]
    _id: str

    def parse_input(self, data: Any) -> Any:
        """Return the tensors: their data in their shapes, the first text of those of bytes."""
        body = inputs(data[0])
        if isinstance(body, bytes | bytearray):
            body = json.loads(body)
        tensors = body["inputs"]
        for tensor in tensors:
            if tensor["datatype"] == "BYTES":
                tensor["data"] = tensor["data"][0]
            else:
                tensor["data"] = np.array(tensor["data"]).reshape(tensor["shape"]).tolist()
        self._names = [tensor["name"] for tensor in tensors]
        self._id = (body.get("id") or "").strip() and body["id"]
        return tensors

    def format_output(self, data: Any) -> Any:
        """Return the handler's answers as tensors by their inputs' names, as one answer."""
        model = self.context.manifest["model"]
        return [
            {
                "id": self._id or self.context.get_request_id(0),
                "model_name": model.get("modelName"),
                "model_version": model.get("modelVersion"),
                "outputs": [_tensor(one, self._names[index]) for index, one in enumerate(data)],
            }
        ]


def _tensor(value: Any, name: str) -> dict[str, Any]:
    flat = np.array(value).flatten()
    kind = _KINDS.get(flat.dtype.kind)
    bits = "" if kind == "BOOL" else str(8 * flat.dtype.itemsize)
    datatype = f"{kind}{bits}" if kind else "BYTES"
    return {"name": name, "datatype": datatype, "data": flat.tolist(), "shape": list(flat.shape)}
