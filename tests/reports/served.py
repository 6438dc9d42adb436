"""A model whose answers its requests choose, and looks at what is served."""

import hashlib
import http.client
import io
import json
import socket
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.support import (
    API,
    Space,
    address,
    condition,
    execute,
    is_ready,
)
from tests.harness import Object
from tests.reports.case import NAME, Look, Sight, Stage

HANDLER = """
import asyncio
import os
import time

import numpy
from slipway_runtime.handler import BadRequest
from ts.utils.util import PredictionException

LOADING_SECONDS = 10


class Handler:
    def initialize(self, context):
        time.sleep(LOADING_SECONDS)  # a pod that is out for less stays ready

    def handle(self, data, context):
        words = [row.get("body") or row.get("data") for row in data]
        words = [w.decode() if isinstance(w, (bytes, bytearray)) else w for w in words]
        if words[0] == "dict":
            return {"a": 1}
        if words[0] == "count":
            return []
        return [self.answer(word, context, place) for place, word in enumerate(words)]

    def answer(self, word, context, place):
        if word == "bad":
            raise BadRequest("there is no such flower")
        if word == "raise":
            raise RuntimeError("this flower is broken")
        if word == "exit":
            os._exit(3)
        if word == "memory":
            hold = [bytearray(1 << 26) for _ in range(64)]
            return len(hold)
        if word == "cancelled":
            raise asyncio.CancelledError
        if word == "structured":
            raise PredictionException({"field": "inputs"}, 422)
        if word == "misspelt":
            raise PredictionException("there is no such flower", "404")
        if word == "handed-on":
            context.set_response_header(place, "Transfer-Encoding", "chunked")
        if word == "headers":
            for number in range(120):
                context.set_response_header(place, f"x-{number}", "a")
        if word == "header":
            context.set_response_header(place, "x-count", 5)
        if word == "asked":
            return str(context.get_request_header(place, "X-My-Header"))
        known = {"big": "x" * 8_000_000, "nan": float("nan"), "numpy": numpy.float32(1.5)}
        return known.get(word, "\\ud800" if word == "surrogate" else word)
"""
OWN_CONFIG = "batchSize: 4\nmaxBatchDelay: 0\nresponseTimeout: 300\nstartupTimeout: 900\n"
MODEL = {
    "modelName": "report",
    "modelVersion": "1.0",
    "serializedFile": "model.pt",
    "handler": "handler.py",
    "configFile": "model-config.yaml",
}
FILES = {
    "MAR-INF/MANIFEST.json": json.dumps({"runtime": "python", "model": MODEL}),
    "model.pt": "nothing",
    "model-config.yaml": OWN_CONFIG,
}


def archive(handler: str = HANDLER) -> bytes:
    """Return the .mar whose answers the request chooses; the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in {**FILES, "handler.py": handler}.items():
            opened.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


SMALL_SERVER = {
    "resources": {
        "requests": {"cpu": "20m", "memory": "512Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
}
"""A server with all the resources that a quota asks for."""
DEATHS = ("WorkerDied", "OutOfMemory")
"""Reasons of the events that tell of a worker's death."""

ARCHIVE = archive()
QUICK_ARCHIVE = archive(HANDLER.replace("LOADING_SECONDS = 10", "LOADING_SECONDS = 0"))
DAMAGED = ARCHIVE.replace(b"handle", b"hanDle", 1)[:-30]


def model(content: bytes) -> Object:
    """Return an archive as a ModelDeployment names it; `stored` puts it there."""
    return {"uri": f"s3://{_path(content)}", "sha256": _digest(content), "name": "report"}


def stored(content: bytes) -> Callable[[Stage], None]:
    """Put an archive where all namespaces may read it."""

    def put(stage: Stage) -> None:
        with stage.cluster.store() as store:
            store.pipe_file(_path(content), content)

    return put


def _path(content: bytes) -> str:
    return f"slipway/shared/tests/{_digest(content)[:16]}/report.mar"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def deployment(content: bytes, **more: Any) -> Object:
    """Return a ModelDeployment of an archive, with all the resources that a quota asks for."""
    spec = {"model": model(content), "server": SMALL_SERVER, **more}
    return {"apiVersion": API, "kind": "ModelDeployment", "metadata": {"name": NAME}, "spec": spec}


def ready(space: Space) -> Sight:
    """Look whether the ModelDeployment is ready."""
    found = space.deployment(NAME)
    told = condition(found, "Ready")
    return Sight(f"{told.get('reason')}: {told.get('message')}", is_ready(found))


def not_ready(reason: str, *words: str) -> Look:
    """Look whether the ModelDeployment is not ready for a reason, and says these words."""

    def look(space: Space) -> Sight:
        told = condition(space.deployment(NAME), "Ready")
        text = str(told.get("message"))
        right = told.get("reason") == reason and all(word in text for word in words)
        return Sight(f"{told.get('reason')}: {text}", right)

    return look


def answers(
    word: str, code: int, *parts: str, method: str = "POST", path: str = "/predict", **headers: str
) -> Look:
    """Look whether a request is answered by a code, with these parts in headers or body."""

    def look(space: Space) -> Sight:
        given = {"content-type": "text/plain", **_named(headers)}
        seen, text = ask(space, word.encode(), method, path, given)
        return Sight(f"{seen} {text}", seen == code and all(part in text for part in parts))

    return look


def ask(
    space: Space, body: bytes, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str]:
    """Return the code of an answer, and its headers and body, by Python's own client."""
    where = urlsplit(address(space, NAME))
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    connection.request(method, path, body, headers)
    found = connection.getresponse()
    head = " ".join(f"{name.lower()}={value}" for name, value in found.getheaders())
    return found.status, f"{head} {found.read()[:400].decode(errors='replace')}"


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def sends(text: str, first: str, *parts: str) -> Look:
    """Look how raw bytes, after whose answer the server closes, are answered."""

    def look(space: Space) -> Sight:
        where = urlsplit(address(space, NAME))
        with socket.create_connection((where.hostname, where.port or 80), 60) as line:
            line.sendall(text.encode())
            found = b"".join(iter(lambda: line.recv(1 << 16), b"")).decode(errors="replace")
        right = found.startswith(first) and all(part in found for part in parts)
        return Sight(found, right)

    return look


def large_request(space: Space) -> Sight:
    """Look what Python's own client reads of the answer to a body above the limit."""
    seen, text = ask(space, b"x" * 7_000_000, "POST", "/predict", {"content-type": "text/plain"})
    return Sight(f"{seen} {text}", seen == 413 and "6553500 bytes" in text)


def form_of_many_parts(space: Space) -> Sight:
    """Look how a form of 100,000 parts is answered, and the request after it."""
    part = b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    seen, text = ask(space, part * 100_000 + b"--b--\r\n", "POST", "/predict", kind)
    after, _ = ask(space, b"hi", "POST", "/predict", {"content-type": "text/plain"})
    right = (seen, after) == (413, 200) and "256 parts" in text
    return Sight(f"{seen} {text}; the next one: {after}", right)


def own_word(space: Space) -> Sight:
    """Look what TorchServe says of the model's settings."""
    (pod,) = space.pods(f"slipway.dev/model-deployment={NAME}")
    code = (
        "import urllib.request as r; "
        "print(r.urlopen('http://127.0.0.1:8081/models/report').read().decode())"
    )
    done = execute(space, pod["metadata"]["name"], "torchserve", "/opt/venv/bin/python", "-c", code)
    (found,) = json.loads(done.stdout)
    told = {key: found[key] for key in ("batchSize", "maxBatchDelay", "responseTimeout")}
    right = told == {"batchSize": 4, "maxBatchDelay": 0, "responseTimeout": 300}
    return Sight(json.dumps(told), right and found["startupTimeout"] == 900)


def placed(space: Space) -> Sight:
    """Look where the pod was put, and what it has for shared memory."""
    (pod,) = space.pods(f"slipway.dev/model-deployment={NAME}")
    spec = pod["spec"]
    tolerated = [one.get("key") for one in spec["tolerations"]]
    shared = [one for one in spec["volumes"] if (one.get("emptyDir") or {}).get("medium")]
    text = f"nodeSelector {spec['nodeSelector']}, tolerations {tolerated}, in memory {shared}"
    right = spec["nodeSelector"] == {"kubernetes.io/os": "linux"} and "gpu" in tolerated
    return Sight(text, right and "64Mi" in json.dumps(shared))


def one_record(space: Space) -> Sight:
    """Look whether a handler's traceback is one record of the pod's log."""
    ask(space, b"raise", "POST", "/predict", {"content-type": "text/plain"})
    (pod,) = space.pods(f"slipway.dev/model-deployment={NAME}")
    lines = space.kubectl.run("logs", pod["metadata"]["name"], "-c", "torchserve").splitlines()
    whole = [one for one in lines if "Traceback" in one and "this flower is broken" in one]
    return Sight(f"{len(whole)} whole tracebacks: {whole[:1]}", bool(whole))


def asked_to_die(word: str) -> Callable[[Stage], None]:
    """Ask what ends the worker."""

    def act(stage: Stage) -> None:
        ask(stage.space, word.encode(), "POST", "/predict", {"content-type": "text/plain"})

    return act


def death_told(*words: str) -> Look:
    """Look whether an event tells why the worker died, and the model serves again.

    Where the node has cgroups of version 2, the container ends with a worker that is too large.
    """

    def look(space: Space) -> Sight:
        found = space.kubectl.list("events")
        notes = [str(one["message"]) for one in found if one["reason"] in DEATHS]
        told = [note for note in notes if all(word in note for word in words)]
        back = is_ready(space.deployment(NAME))
        shown = told or notes
        return Sight(f"{'ready again' if back else 'away'}: {shown}", bool(told) and back)

    return look
