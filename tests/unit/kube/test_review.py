"""What is asked of the API server about those who read the operator's metrics."""

from typing import Any, cast

import pytest

from slipway.kube.client import Client
from slipway.kube.errors import Forbidden, KubeError, Unavailable
from slipway.kube.review import MetricsReview
from slipway.telemetry.access import ReviewFailedError

USER = {
    "username": "prometheus",
    "uid": "7",
    "groups": ["system:authenticated"],
    "extra": {"authentication.kubernetes.io/pod-name": ["prometheus-0"]},
}


class ApiServer:
    """Answers reviews with what it is given, by the last part of their path."""

    def __init__(self, **answers: dict[str, Any] | KubeError) -> None:
        self._answers = answers
        self.specs: dict[str, dict[str, Any]] = {}

    async def request(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert method == "post"
        kind = path.rpartition("/")[2]
        self.specs[kind] = body["spec"]
        answer = self._answers[kind]
        if isinstance(answer, KubeError):
            raise answer
        return {"status": answer}

    async def verdict(self) -> int:
        refusal = await MetricsReview(cast(Client, self))("token")
        return refusal.status if refusal else 200


KNOWN = {"authenticated": True, "user": USER}


async def test_the_holders_right_is_asked_for_by_all_that_the_token_says_of_them() -> None:
    server = ApiServer(tokenreviews=KNOWN, subjectaccessreviews={"allowed": True})
    assert await server.verdict() == 200
    assert server.specs == {
        "tokenreviews": {"token": "token"},
        "subjectaccessreviews": {
            "user": "prometheus",
            "uid": "7",
            "groups": ["system:authenticated"],
            "extra": {"authentication.kubernetes.io/pod-name": ["prometheus-0"]},
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        },
    }


@pytest.mark.parametrize("answer", [{}, {"authenticated": False}, {"error": "expired"}])
async def test_nothing_more_is_asked_of_a_token_that_nobody_knows(answer: dict[str, Any]) -> None:
    server = ApiServer(tokenreviews=answer)
    assert await server.verdict() == 401
    assert server.specs.keys() == {"tokenreviews"}


@pytest.mark.parametrize("answer", [{}, {"allowed": False}, {"allowed": False, "denied": True}])
async def test_who_is_not_allowed_is_refused(answer: dict[str, Any]) -> None:
    assert await ApiServer(tokenreviews=KNOWN, subjectaccessreviews=answer).verdict() == 403


@pytest.mark.parametrize("error", [Unavailable("away"), Forbidden("you may not ask", 403)], ids=str)
async def test_an_api_server_that_does_not_say_lets_nobody_in(error: KubeError) -> None:
    for server in (
        ApiServer(tokenreviews=error),
        ApiServer(tokenreviews=KNOWN, subjectaccessreviews=error),
    ):
        with pytest.raises(ReviewFailedError, match=error.message):
            await server.verdict()
