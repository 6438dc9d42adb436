"""How the API server's answers are read."""

import json

import pytest

from slipway.kube.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    Rejected,
    Unavailable,
    WebhookFailed,
    from_status,
    reason_for,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unavailable),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, NotFound),
        (422, Invalid),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type[KubeError]) -> None:
    error = from_status(status, json.dumps({"message": "why"}))
    assert type(error) is kind
    assert (error.message, error.status) == ("why", status)


QUOTA = 'jobs.batch "a" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: 1'
NO_RIGHT = (
    'jobs.batch is forbidden: User "system:serviceaccount:slipway-system:slipway" cannot create '
    'resource "jobs" in API group "batch" in the namespace "team"'
)
PODS = 'pods "a" is forbidden: violates PodSecurity "restricted:latest": privileged (container "x"'
WEBHOOK = 'admission webhook "policy.example" denied the request: no label "team"'
POLICY = (
    "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request"
)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (QUOTA, "QuotaExceeded"),
        (NO_RIGHT, "Forbidden"),
        (PODS, "ApplyRejected"),
        (WEBHOOK, "ApplyRejected"),
        (POLICY, "ApplyRejected"),
        ("no", "Forbidden"),
    ],
)
def test_what_is_forbidden_by_a_quota_or_by_a_policy_is_no_lack_of_rights(
    message: str, reason: str
) -> None:
    error = from_status(403, json.dumps({"message": message}))
    assert isinstance(error, Rejected)
    assert (error.reason, error.message, error.status) == (reason, message, 403)


@pytest.mark.parametrize("message", [WEBHOOK, POLICY, PODS])
@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_admission_says_is_not_taken_for_a_bad_child_whatever_its_status(
    status: int, message: str
) -> None:
    assert type(from_status(status, json.dumps({"message": message}))) is Rejected


def invalid(*fields: str) -> Rejected:
    """Return what the API server says of invalid fields."""
    told = {"message": "Job is invalid", "details": {"causes": [{"field": f} for f in fields]}}
    error = from_status(422, json.dumps(told))
    assert isinstance(error, Rejected)
    return error


POD = "spec.template.spec"
WRITTEN = {
    "spec": {
        "resources": {"requests": {"cpu": "2"}},
        "expose": {"allowedFrom": [{"namespaceSelector": {"matchLabels": {"a": "b c"}}}]},
        "podTemplate": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"tolerations": [{"key": "a"}], "containers": [{"name": "x", "env": []}]},
        },
    }
}


@pytest.mark.parametrize(
    "fields",
    [
        (f"{POD}.tolerations[0].operator",),
        ("spec.template.labels",),
        ("spec.ingress[0].from[0].namespaceSelector.matchLabels",),
        (f"{POD}.containers[1].env[0].name", f"{POD}.tolerations[0].key"),
        (f"{POD}.containers[0].resources.requests",),
    ],
)
def test_a_child_that_an_authors_own_field_makes_invalid_is_for_the_author(
    fields: tuple[str, ...],
) -> None:
    assert reason_for(invalid(*fields), WRITTEN, "fence") == "ApplyRejected"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("spec.ports[0].port",),
        ("metadata.labels",),
        (f"{POD}.containers[0].volumeMounts[0].name",),
        (f"{POD}.containers[0].name",),
        (f"{POD}.tolerations[0].key", f"{POD}.containers[0].image"),
        ("spec.parallelism",),
    ],
)
def test_a_bad_child_of_the_operators_own_making_is_no_fault_of_its_author(
    fields: tuple[str, ...],
) -> None:
    assert reason_for(invalid(*fields), WRITTEN, "fence") == "InvalidChild"
    assert reason_for(invalid(*fields), {}, "fence") == "InvalidChild"


def test_what_the_operators_own_fence_refuses_is_no_fault_of_an_author() -> None:
    told = Rejected(POLICY, 422)
    assert reason_for(told, WRITTEN, "p") == "InvalidChild"
    assert reason_for(told, WRITTEN, "another") == "ApplyRejected"


def test_a_namespace_that_goes_passes_by_itself() -> None:
    body = {"message": "no", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    error = from_status(403, json.dumps(body))
    assert isinstance(error, Unavailable)
    assert (error.reason, error.passes_soon) == ("NamespaceTerminating", False)


ODD = (
    *(None, "", "<html>", "[]", b"\xff"),
    *('{"details": []}', '{"details": null}', '{"details": {"causes": {"a": 1}}}'),
    *('{"details": {"causes": ["x"]}}', '{"details": {"retryAfterSeconds": {}}}'),
)


@pytest.mark.parametrize("body", ODD)
def test_an_answer_of_something_in_between_is_no_crash(body: object) -> None:
    assert "502" in from_status(502, body).message


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    by_header = from_status(429, "", {"Retry-After": "7"})
    by_body = from_status(429, json.dumps({"details": {"retryAfterSeconds": 3}}))
    odd = from_status(429, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    waits = [
        error.retry_after for error in (by_header, by_body, odd) if isinstance(error, Unavailable)
    ]
    assert waits == [7.0, 3.0, 0.0]


@pytest.mark.parametrize(("text", "wait"), [("86400", 300.0), ("inf", 300.0), ("nan", 0.0)])
def test_no_server_is_left_alone_for_good(text: str, wait: float) -> None:
    error = from_status(503, "", {"Retry-After": text})
    assert isinstance(error, Unavailable)
    assert error.retry_after == wait


def test_of_a_message_that_repeats_what_a_user_wrote_only_the_beginning_is_taken_in() -> None:
    head = 'Job.batch "a" is invalid: spec.template.spec.priorityClassName: Invalid value: "'
    told = {"message": head + "x" * 200_000, "details": {"causes": [{"field": "spec.template"}]}}
    error = from_status(422, json.dumps(told))
    assert type(error) is Invalid
    assert error.message.startswith(head)
    assert len(error.message) == 8192


CALL = 'failed calling webhook "a.example": failed to call webhook: Post "https://a": refused'


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (f"Internal error occurred: {CALL}", WebhookFailed),
        (CALL, WebhookFailed),
        ('admission webhook "a.example" denied the request: no database', WebhookFailed),
        ("conversion webhook for example.com/v1, Kind=PodGroup failed: refused", WebhookFailed),
        ("Internal error occurred: etcd has no leader", Unavailable),
        (f'Job "a" is not stored: {CALL}', Unavailable),
    ],
)
@pytest.mark.parametrize("status", [500, 503])
def test_a_webhook_that_fails_is_told_from_an_api_server_that_does(
    status: int, message: str, kind: type[KubeError]
) -> None:
    error = from_status(status, json.dumps({"message": message}))
    assert type(error) is kind
    assert isinstance(error, Unavailable)
    assert error.passes_soon
