"""A git server inside the cluster: a repository behind HTTP with a password, and SSH with a key."""

import base64

from tests.cluster import server_pod
from tests.cluster.server_pod import core_object
from tests.harness import Object
from tests.unit.runtime.ssh_server import parsed, private_key

NAME = "git"
USER, PASSWORD = "bot", "secret"
PORT, SSH_PORT = 8080, 2222

SERVER = """
import io
import os
import shlex
import socket
import threading
from wsgiref.simple_server import make_server
import paramiko
from dulwich import porcelain
from dulwich.repo import Repo
from dulwich.server import DictBackend, UploadPackHandler, serve_command
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
backend = DictBackend({"/net": Repo("/tmp/net")})
serve = make_wsgi_chain(backend)
host_key = paramiko.Ed25519Key.from_private_key(io.StringIO(os.environ["HOST_KEY"]))


class Door(paramiko.ServerInterface):
    def __init__(self):
        self.command, self.asked = "", threading.Event()

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        known = username == "git" and key.get_base64() == os.environ["GUEST"]
        return paramiko.common.AUTH_SUCCESSFUL if known else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind, number):
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.command = command.decode()
        self.asked.set()
        return True


def talk(connection):
    transport, door = paramiko.Transport(connection), Door()
    transport.add_server_key(host_key)
    transport.start_server(server=door)
    channel = transport.accept(60)
    if channel is None or not door.asked.wait(60):
        return
    pipes = channel.makefile("rb"), channel.makefile("wb", 0)
    code = serve_command(UploadPackHandler, shlex.split(door.command), backend, *pipes)
    channel.send_exit_status(code)
    channel.close()


def listen():
    with socket.create_server(("", 2222)) as listener:
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=listen, daemon=True).start()


def answer(environ, start):
    if environ.get("HTTP_AUTHORIZATION") != os.environ["WANTED"]:
        start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
        return [b""]
    return serve(environ, start)


make_server("", 8080, answer).serve_forever()
"""


def objects(image: str, **files: str) -> list[Object]:
    """Return the server, its Service, and the Secrets ``git`` and ``git-ssh`` that open it.

    Of a Python file ``train="..."`` the repository ``/net`` has ``src/train.py``, tagged ``v1``.
    """
    labels = {"app": NAME}
    host, guest = private_key(), private_key()
    host_key = parsed(host)
    known = f"[{NAME}]:{SSH_PORT} {host_key.get_name()} {host_key.get_base64()}\n"
    ports = [{"name": "http", "port": PORT}, {"name": "ssh", "port": SSH_PORT}]
    keys = {"HOST_KEY": host, "GUEST": parsed(guest).get_base64()}
    data = {"server.py": SERVER, **{f"{stem}.py": text for stem, text in files.items()}}
    return [
        core_object("ConfigMap", NAME, data=data),
        core_object("Secret", NAME, stringData={"username": USER, "password": PASSWORD}),
        core_object(
            "Secret", "git-ssh", stringData={"ssh-privatekey": guest, "known_hosts": known}
        ),
        core_object("Secret", "git-server", stringData=keys),
        core_object("Service", NAME, spec={"selector": labels, "ports": ports}),
        core_object("Pod", NAME, labels=labels, spec=_pod(image)),
    ]


def _pod(image: str) -> Object:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    server = server_pod.container(
        "git",
        image,
        {"files": "/files"},
        PORT,
        command=["python3", "/files/server.py"],
        env=server_pod.variables({"WANTED": f"Basic {pair}"}),
        envFrom=[{"secretRef": {"name": "git-server"}}],
    )
    return server_pod.pod(server, volumes={"files": {"configMap": {"name": NAME}}})
