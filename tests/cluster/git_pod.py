"""A git server inside the cluster: a repository behind HTTP that asks for a password."""

import base64
from typing import Any

from tests.harness import Object

NAME = "git"
USER, PASSWORD = "bot", "secret"
PORT = 8080

SERVER = """
import os
from wsgiref.simple_server import make_server
from dulwich import porcelain
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

repo = porcelain.init("/tmp/net")
os.makedirs("/tmp/net/src")
for name in os.listdir("/files"):
    if name.endswith(".py") and name != "server.py":
        with open(f"/files/{name}") as source, open(f"/tmp/net/src/{name}", "w") as target:
            target.write(source.read())
        porcelain.add(repo, [f"/tmp/net/src/{name}"])
who = b"Test <test@example.com>"
commit = porcelain.commit(repo, b"first", author=who, committer=who)
porcelain.tag_create(repo, b"v1")
print(commit.decode(), flush=True)
serve = make_wsgi_chain(DictBackend({"/net": Repo("/tmp/net")}))


def answer(environ, start):
    if environ.get("HTTP_AUTHORIZATION") != os.environ["WANTED"]:
        start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
        return [b""]
    return serve(environ, start)


make_server("", 8080, answer).serve_forever()
"""


def objects(image: str, **files: str) -> list[Object]:
    """Return the server, its Service, and the Secret ``git`` that opens it.

    Of a Python file ``train="..."`` the repository ``/net`` has ``src/train.py``, tagged ``v1``.
    """
    labels = {"app": NAME}
    data = {"server.py": SERVER, **{f"{stem}.py": text for stem, text in files.items()}}
    return [
        _object("ConfigMap", NAME, data=data),
        _object("Secret", NAME, stringData={"username": USER, "password": PASSWORD}),
        _object("Service", NAME, spec={"selector": labels, "ports": [{"port": PORT}]}),
        _object("Pod", NAME, labels=labels, spec=_pod(image)),
    ]


def _object(kind: str, name: str, labels: dict[str, str] | None = None, **rest: Any) -> Object:
    meta = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **rest}


def _pod(image: str) -> dict[str, Any]:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "git",
        "image": image,
        "command": ["python3", "/files/server.py"],
        "env": [{"name": "WANTED", "value": f"Basic {pair}"}],
        "securityContext": security,
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "files", "mountPath": "/files"}],
    }
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "files", "configMap": {"name": NAME}}],
    }
