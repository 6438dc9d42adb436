"""Who a real API server lets read the operator's metrics, by the chart's own roles."""

import base64
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from slipway.telemetry.access import MOST_REVIEWS
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import Kubectl, TestControlPlane, plain_http
from tests.harness.audit import service_account
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract
READER = "slipway-metrics-reader"


@pytest.fixture(scope="module")
def secured(
    kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    settings = {"SLIPWAY_LEADER_ELECTION": "false", "SLIPWAY_SECURE_METRICS": "true"}
    operator = OperatorProcess.start(kubeconfig, tmp_path_factory.mktemp("o") / "log", settings)
    operator.wait_until_ready()
    yield operator
    operator.end()


def token(plane: TestControlPlane, account: str, *options: str) -> str:
    made = ("create", "token", account, "-n", NAMESPACE, "--duration=1h", *options)
    return plane.kubectl.run(*made).strip()


def encoded(content: bytes) -> str:
    """Return base64url without padding, as RFC 7515 has it."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signed(plane: TestControlPlane, **changed: Any) -> str:
    """Return a token of the chart's reader, signed with the API server's own key."""
    header, payload, _ = token(plane, READER).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | changed
    text = f"{header}.{encoded(json.dumps(claims).encode())}"
    key = plane.plane.state / "certificates" / "service-account.key"
    sign = ("openssl", "dgst", "-sha256", "-sign", str(key))
    done = subprocess.run(sign, input=text.encode(), capture_output=True, check=True)
    return f"{text}.{encoded(fixed(done.stdout))}"


def fixed(signature: bytes) -> bytes:
    """Return an ES256 signature as RFC 7518, section 3.4, has it, of one in DER: 0x30 n 0x02 ..."""
    length = signature[3]
    numbers = signature[4 : 4 + length], signature[6 + length :]
    return b"".join(int.from_bytes(number, "big").to_bytes(32, "big") for number in numbers)


def of_a_deleted_account(plane: TestControlPlane) -> str:
    """Return a token of an account that had the right to read, and is there no more."""
    system = Kubectl(plane.kubeconfig, namespace=NAMESPACE)
    system.run("create", "serviceaccount", "leaver")
    granted = ("--clusterrole=slipway-metrics-reader", f"--serviceaccount={NAMESPACE}:leaver")
    system.run("create", "clusterrolebinding", "leaver-reads-slipway", *granted)
    found = token(plane, "leaver")
    system.run("delete", "serviceaccount", "leaver")
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    head = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    review = json.dumps({**head, "spec": {"token": found}})

    def is_known() -> bool:
        told = json.loads(system.run("create", "--raw", path, "-f", "-", stdin=review))
        return bool(told["status"].get("authenticated"))

    wait_for(lambda: not is_known(), 120, "the API server knows that it was deleted")
    return found


def without_signature(plane: TestControlPlane) -> str:
    """Return a token that says of itself that it needs no signature (RFC 7515, appendix A.5)."""
    payload = token(plane, READER).split(".")[1]
    return f"{encoded(json.dumps({'alg': 'none'}).encode())}.{payload}."


def read_once(operator: OperatorProcess, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return plain_http.get(f"http://127.0.0.1:{operator.port}/metrics", headers=headers, timeout=120)


def read(operator: OperatorProcess, token: str = "") -> httpx.Response:
    """Return the answer, asked for again where one is told to: an API server may be slow."""
    answers: list[httpx.Response] = []

    def told() -> bool:
        answers.append(read_once(operator, token))
        return answers[-1].status_code != 503

    wait_for(told, 120, "the API server has answered", operator.log.read_text)
    return answers[-1]


def test_a_token_with_the_right_reads_the_metrics_and_no_other_does(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    system = Kubectl(control_plane.kubeconfig, namespace=NAMESPACE)
    system.run("create", "serviceaccount", "stranger")
    page = read(secured, token(control_plane, "slipway-metrics-reader"))
    assert page.status_code == 200
    assert "slipway_leader 1.0" in page.text

    stranger = read(secured, token(control_plane, "stranger"))
    assert stranger.status_code == 403
    assert f"system:serviceaccount:{NAMESPACE}:stranger may not get /metrics" in stranger.text

    for unknown in ("", "made.up.token"):
        answer = read(secured, unknown)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_an_account_that_is_bound_to_the_charts_role_reads_the_metrics(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    system = Kubectl(control_plane.kubeconfig, namespace=NAMESPACE)
    system.run("create", "serviceaccount", "prometheus")
    granted = ("--clusterrole=slipway-metrics-reader", f"--serviceaccount={NAMESPACE}:prometheus")
    system.run("create", "clusterrolebinding", "prometheus-reads-slipway", *granted)
    its = token(control_plane, "prometheus")
    wait_for(lambda: read(secured, its).status_code == 200, 120, "the binding holds")


TOKENS: dict[str, Callable[[TestControlPlane], str]] = {
    "one that has run out": lambda plane: signed(plane, exp=int(time.time()) - 120),
    "one for later": lambda plane: signed(plane, nbf=int(time.time()) + 3600),
    "one for another audience": lambda plane: token(plane, READER, "--audience=vault"),
    "one that names no account's UID": lambda plane: signed(plane, **{"kubernetes.io": {}}),
    "one without a signature": without_signature,
    "one with another's signature": lambda plane: ".".join(
        (*signed(plane, jti="x").split(".")[:2], token(plane, READER).split(".")[2])
    ),
    "one of an account that was deleted": of_a_deleted_account,
}


def test_a_token_that_the_test_signs_itself_is_as_good_as_the_api_servers(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    """So those below are refused for what was changed in them."""
    assert read(secured, signed(control_plane)).status_code == 200


@pytest.mark.parametrize("which", TOKENS)
def test_a_token_that_holds_no_longer_or_elsewhere_reads_nothing(
    secured: OperatorProcess, control_plane: TestControlPlane, which: str
) -> None:
    answer = read(secured, TOKENS[which](control_plane))
    assert answer.status_code == 401
    assert "does not know this token, or it has run out" in answer.text
    assert "slipway_" not in answer.text


@pytest.mark.parametrize("size", [7_000, 20_000, 2_000_000])
def test_a_huge_header_is_refused_and_the_next_reader_is_answered(
    secured: OperatorProcess, control_plane: TestControlPlane, size: int
) -> None:
    before = secured.memory()
    with socket.create_connection(("127.0.0.1", secured.port), timeout=30) as one:
        head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
        try:
            one.sendall(head + b"a" * size + b"\r\n\r\n")
            said = one.recv(100)
        except OSError:
            said = b""
    assert said == b"" or said.split()[1] in (b"400", b"401", b"431")
    assert read(secured, token(control_plane, READER)).status_code == 200
    assert secured.memory() - before < 20


def test_many_bad_tokens_at_once_cost_the_api_server_a_few_questions_at_a_time(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    """However often a token is sent, it is not asked about each time; readers are not kept out."""
    good = token(control_plane, READER)
    assert read(secured, good).status_code == 200
    audit = control_plane.audit()
    bad = ["made.up.token"] * 150 + [f"made.up.{number}" for number in range(50)]
    begun = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(read_once, secured, one) for one in bad]
        assert read_once(secured, good).status_code == 200
        codes = {answer.result().status_code for answer in answers}
    assert codes <= {401, 503}
    assert secured.status("/healthz") == 200
    operator = service_account(NAMESPACE, ACCOUNT)
    asked = [one for one in audit.requests(operator) if one.resource == "tokenreviews"]
    # What was refused is asked about again ten seconds later: a busy machine may take as long.
    again = 1 + (time.monotonic() - begun) // 10
    assert 1 <= len(asked) <= 50 + MOST_REVIEWS * again
