"""A model saved by Keras, served by nothing but Python's own server: POST /predict with rows."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np

model = keras.saving.load_model(Path(os.environ["SLIPWAY_MODEL_DIR"], "model.keras"))


class Handler(BaseHTTPRequestHandler):
    """``GET /healthz`` and ``POST /predict``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Tell that the model is loaded."""
        self._answer(200 if self.path == "/healthz" else 404, b"")

    def do_POST(self) -> None:
        """Return what the network makes of the rows."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            rows = np.asarray(json.loads(body), dtype="float32")
            answer = keras.ops.convert_to_numpy(model(rows, training=False))
        except (ValueError, TypeError) as error:
            self._answer(400, str(error).encode())
        else:
            self._answer(200, json.dumps(answer.tolist()).encode())

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: readiness is asked every other second."""


port = int(os.environ.get("PORT", "8080"))
ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()  # noqa: S104 - Envoy is in front
