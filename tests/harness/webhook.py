"""A mutating admission webhook that a test writes, behind a real API server."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from slipway.manifests import MANAGED_BY, MANAGER
from tests.harness.control_plane import TestControlPlane
from tests.harness.kubectl import Kubectl, Object
from tests.harness.waiting import wait_for

Admit = Callable[[Object], str | list[Object]]
"""Takes an object as it comes, and returns why it is refused, or JSON patches (RFC 6902)."""

RULES: dict[str, list[str]] = {
    "": ["services", "configmaps", "secrets"],
    "apps": ["deployments"],
    "batch": ["jobs"],
    "autoscaling": ["horizontalpodautoscalers"],
    "networking.k8s.io": ["networkpolicies"],
    "policy": ["poddisruptionbudgets"],
    "scheduling.k8s.io": ["workloads"],
    "scheduling.x-k8s.io": ["podgroups"],
}
"""The kinds of children that are sent to it, by API group."""


_PROBE = "is-this-webhook-asked"
"""Name of an object that is never stored: about it the API server asks a webhook it knows."""


def _handler(admit: Admit, asked: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({**review, "response": self._response(review["request"])}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @staticmethod
        def _response(request: Object) -> Object:
            if request["object"]["metadata"].get("name") == _PROBE:
                asked.set()
                return {"uid": request["uid"], "allowed": True}
            verdict = admit(request["object"])
            if isinstance(verdict, str):
                return {"uid": request["uid"], "allowed": False, "status": {"message": verdict}}
            patch = base64.b64encode(json.dumps(verdict).encode()).decode()
            return {
                "uid": request["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": patch,
            }

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def admission_webhook(plane: TestControlPlane, namespace: str, admit: Admit) -> Iterator[None]:
    """Have writes of the operator's children in a namespace go through ``admit`` meanwhile."""
    authority = plane.plane.authority
    files = authority.issue("webhook", "webhook", hosts=("IP:127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    asked = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(admit, asked))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]
    trusted = base64.b64encode(authority.own.certificate.read_bytes()).decode()
    configuration = _configuration(f"https://127.0.0.1:{port}/", trusted, namespace)
    plane.kubectl.apply(configuration)

    there = Kubectl(plane.kubeconfig, namespace)

    def is_asked() -> bool:
        there.run("create", "-f", "-", "--dry-run=server", stdin=_probe(namespace))
        return asked.is_set()

    try:
        wait_for(is_asked, 120, "the API server asks the webhook")
        yield
    finally:
        plane.kubectl.run("delete", configuration["kind"], configuration["metadata"]["name"])
        server.shutdown()
        server.server_close()
        thread.join()


def _probe(namespace: str) -> str:
    meta = {"name": _PROBE, "namespace": namespace, "labels": {MANAGED_BY: MANAGER}}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})


def _configuration(url: str, authority: str, namespace: str) -> Object:
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "resources": resources,
            "operations": ["CREATE", "UPDATE"],
        }
        for group, resources in RULES.items()
    ]
    only = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"rewrite-{namespace}"},
        "webhooks": [
            {
                "name": "rewrite.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 30,
                "failurePolicy": "Fail",
                "clientConfig": {"url": url, "caBundle": authority},
                "namespaceSelector": only,
                "objectSelector": {"matchLabels": {MANAGED_BY: MANAGER}},
                "rules": rules,
            }
        ],
    }
