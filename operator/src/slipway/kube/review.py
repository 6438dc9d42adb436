"""Asking the API server whose a token is and whether they may read the operator's metrics."""

from typing import Any

from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.telemetry.access import Refusal, ReviewFailedError

_TOKENS = "authentication.k8s.io/v1", "TokenReview", "tokenreviews"
_RIGHTS = "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews"
_READS = {"path": "/metrics", "verb": "get"}
_UNKNOWN = Refusal(401, "The API server does not know this token, or it has run out.")


class MetricsReview:
    """Reviews one token by a TokenReview and a SubjectAccessReview (Kubernetes' API, v1)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, token: str) -> Refusal | None:
        """Return why the token's holder may not get ``/metrics``; None where they may.

        Raises ``ReviewFailedError`` where the API server does not say.
        """
        try:
            status = await self._ask(_TOKENS, {"token": token})
            if not status.get("authenticated"):
                return _UNKNOWN
            user = status["user"]
            subject = {key: user[key] for key in ("uid", "groups", "extra") if key in user}
            spec = {"user": user["username"], **subject, "nonResourceAttributes": _READS}
            allowed = (await self._ask(_RIGHTS, spec)).get("allowed")
        except KubeError as error:
            raise ReviewFailedError(error.message) from error
        return None if allowed else _forbidden(user["username"])

    async def _ask(self, kind: tuple[str, str, str], spec: dict[str, Any]) -> dict[str, Any]:
        version, name, plural = kind
        body = {"apiVersion": version, "kind": name, "spec": spec}
        answer = await self._client.request("post", f"/apis/{version}/{plural}", body)
        status: dict[str, Any] = answer.get("status") or {}
        return status


def _forbidden(user: str) -> Refusal:
    return Refusal(
        403,
        f"{user} may not get /metrics: bind it to a ClusterRole with nonResourceURLs [/metrics] "
        "and verbs [get], as the chart's for readers of metrics has them.",
    )
