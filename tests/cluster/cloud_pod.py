"""Servers of other clouds' APIs inside the cluster: Azure's, Google's two, and Alibaba's.

Google's and Alibaba's S3 APIs have one S3 server behind them, which knows the same buckets.
"""

import json
from pathlib import Path

from tests.cluster import server_pod
from tests.cluster.server_pod import core_object
from tests.harness import Object
from tests.unit.runtime import cloud_fronts, cloud_servers

NAME = "clouds"
OSS = "oss"
"""The Service under which each bucket of Alibaba's has a host of its own."""
AZURE_PORT, GOOGLE_PORT, INTEROPERABLE_PORT, OSS_PORT = 8081, 8082, 8083, 8084
AZURE_KEY = "a2V5"
FOLDER = "rows"
"""Where rows lie, in Azure's container and Google's bucket, and in each bucket behind S3."""
ROWS = {"first.csv": "0,1\n1,4\n", "deep/second.csv": "2,7\n3,10\n"}
"""Points of y = 3 x + 1, by the files beneath that folder."""
MODULES = "tests/unit/runtime"

SERVER = """
import json
import os
import threading
import time
from http.server import ThreadingHTTPServer

from tests.unit.runtime import cloud_fronts, cloud_servers

told = json.loads(os.environ["CLOUDS"])
files = {f"{told['folder']}/{name}": text.encode() for name, text in told["rows"].items()}
cloud_servers.FILES.update(files)
behind = cloud_fronts.Behind(7480)


def put(target, body=b""):
    deadline = time.monotonic() + 60
    while True:
        try:
            status, _, answer = behind.ask("PUT", target, body)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    if status not in (200, 409):
        raise SystemExit(f"{target}: {status} {answer}")


for bucket in told["buckets"]:
    put(f"/{bucket}")
    for name, content in files.items():
        put(f"/{bucket}/{name}", content)


def serve(port, handler, **settings):
    server = ThreadingHTTPServer(("", port), type("Asking", (handler,), settings))
    threading.Thread(target=server.serve_forever).start()


azure, google, interoperable, oss = told["ports"]
serve(azure, cloud_servers.Azure, key=told["azureKey"])
serve(google, cloud_servers.Google, key=told["googleKey"])
serve(interoperable, cloud_fronts.Interoperable, behind=behind)
serve(oss, cloud_fronts.Oss, behind=behind, host=told["host"])
"""


def objects(namespace: str, trainer: str, store: str, bucket: str, *more: str) -> list[Object]:
    """Return the servers and their Services, for images of a trainer and of the S3 server.

    They have the buckets; ``bucket`` alone has a host of its own, as a pod has one name.
    """
    ports = (AZURE_PORT, GOOGLE_PORT, INTEROPERABLE_PORT, OSS_PORT)
    told = {
        "azureKey": AZURE_KEY,
        "googleKey": cloud_servers.public_pem(),
        "host": f"{OSS}.{namespace}.svc",
        "buckets": [bucket, *more],
        "folder": FOLDER,
        "rows": ROWS,
        "ports": ports,
    }
    files = {
        "server.py": SERVER,
        "servers.py": Path(cloud_servers.__file__).read_text(),
        "fronts.py": Path(cloud_fronts.__file__).read_text(),
    }
    selector = {"app": NAME}
    named = [{"name": f"port-{port}", "port": port} for port in ports]
    headless = {"selector": selector, "ports": named, "clusterIP": "None"}
    pod = _pod(trainer, store, json.dumps(told), hostname=bucket, subdomain=OSS)
    return [
        core_object("ConfigMap", NAME, data=files),
        core_object("Service", NAME, spec={"selector": selector, "ports": named}),
        core_object("Service", OSS, spec=headless),
        core_object("Pod", NAME, labels=selector, spec=pod),
    ]


def secrets(namespace: str) -> dict[str, dict[str, str]]:
    """Return what Secrets say that open these servers from any namespace, by their names."""
    host = f"http://{NAME}.{namespace}.svc"
    google = f"{host}:{GOOGLE_PORT}"
    account = f"AccountName=team;AccountKey={AZURE_KEY};BlobEndpoint={host}:{AZURE_PORT}/team;"
    key = {
        "AWS_ACCESS_KEY_ID": cloud_fronts.ACCESS,
        "AWS_SECRET_ACCESS_KEY": cloud_fronts.SECRET,
    }
    return {
        "azure": {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;{account}"},
        "google": {
            "GOOGLE_SERVICE_ACCOUNT_JSON": cloud_servers.service_account(google),
            "STORAGE_EMULATOR_HOST": google,
        },
        "interoperable": {
            **key,
            "AWS_ENDPOINT_URL": f"{host}:{INTEROPERABLE_PORT}",
            "AWS_DEFAULT_REGION": "auto",
        },
        "oss": {
            **key,
            "AWS_ENDPOINT_URL": f"http://{OSS}.{namespace}.svc:{OSS_PORT}",
            "AWS_DEFAULT_REGION": "cn-hangzhou",
            "AWS_S3_ADDRESSING_STYLE": "virtual",
        },
    }


def _pod(trainer: str, store: str, told: str, **rest: str) -> Object:
    root = {"ROOT_ACCESS_KEY_ID": "key", "ROOT_SECRET_ACCESS_KEY": "secret"}
    ports = {"VGW_PORT": "127.0.0.1:7480", "SLIPWAY_STORE_STATUS_PORT": "127.0.0.1:7481"}
    env = server_pod.variables({**root, **ports})
    behind = server_pod.container("behind", store, {"data": "/data"}, env=env)
    servers = server_pod.container(
        "servers",
        trainer,
        {"files": "/files"},
        OSS_PORT,
        command=["python3", "-u", "/files/server.py"],
        env=server_pod.variables({"CLOUDS": told, "PYTHONPATH": "/files"}),
    )
    paths = {
        "server.py": "server.py",
        "servers.py": f"{MODULES}/cloud_servers.py",
        "fronts.py": f"{MODULES}/cloud_fronts.py",
    }
    items = [{"key": key, "path": path} for key, path in paths.items()]
    files = {"configMap": {"name": NAME, "items": items}}
    return server_pod.pod(
        behind, servers, volumes={"files": files, "data": {"emptyDir": {}}}, **rest
    )
