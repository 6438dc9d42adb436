"""Serve a SavedModel by nothing but TensorFlow and Python: POST /predict with rows."""

import json
import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import tensorflow as tf

model = tf.saved_model.load(str(Path(os.environ["SLIPWAY_MODEL_DIR"], "line")))


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing: readiness is asked every other second."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer ``GET /healthz``, and ``POST /predict`` with what the model makes of the rows."""
    status, body = HTTPStatus.OK, b""
    if environ["PATH_INFO"] != "/healthz":
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            rows = tf.constant(json.loads(text), tf.float32)
            body = json.dumps(model(rows).numpy().tolist()).encode()
        except (ValueError, TypeError) as error:
            status, body = HTTPStatus.BAD_REQUEST, str(error).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    start(f"{status.value} {status.phrase}", headers)
    return [body]


make_server("0.0.0.0", 8080, app, Server, Quiet).serve_forever()  # noqa: S104 - Envoy is in front
