"""KServe's first protocol: ``{"instances": [...]}`` and ``{"predictions": [...]}``.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

import json
from typing import Any

from ts.torch_handler.request_envelope.base import BaseEnvelope, inputs


class KServeEnvelope(BaseEnvelope):
    """Gives the handler the instances of the batch's first request."""

    def parse_input(self, data: Any) -> Any:
        """Return the instances."""
        body = inputs(data[0])
        if isinstance(body, bytes | bytearray):
            body = json.loads(body)
        return body.get("instances")

    def format_output(self, data: Any) -> Any:
        """Return the predictions, or the explanations, as one answer."""
        is_explanation = self.context.get_request_header(0, "explain") == "True"
        return [{"explanations" if is_explanation else "predictions": data}]
