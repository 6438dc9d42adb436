"""No user, password or signature in a URI reaches a condition, an event, a record or a log."""

import json
import unicodedata
from types import SimpleNamespace
from typing import Any

import aiohttp
import botocore.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

import slipway.uris
import slipway_runtime.shown
from slipway_pods.bring import bringing, download
from slipway_pods.store import store_errors
from slipway_runtime import termination
from tests.unit.serving.world import World, fetch_word, init_status, terminated
from tests.unit.training.simulation import PACKAGE, Cluster, spec, trained

LETTERS = "".join(chr(code) for code in range(33, 127))
SECRETS = st.text(LETTERS, max_size=12).map(lambda text: f"S3CR{text}ET")
PLAIN = st.text("abcdefghijklmnopqrstuvwxyz%~_-0123456789", max_size=12).map(
    lambda text: f"S3CR{text}ET"
)
PATHS = st.sampled_from(["", "/", "/a/b.mar", "/a@b/c"])


def whole(secret: str, path: str, *, query: bool) -> str:
    if query:
        return f"https://host.example:8443{path}?X-Amz-Signature={secret}"
    return f"https://user:{secret}@host.example{path}"


URIS = st.builds(lambda s, p, q: (s, whole(s, p, query=q)), SECRETS, PATHS, st.booleans())
SENDABLE = st.builds(lambda s, p, q: (s, whole(s, p, query=q)), PLAIN, PATHS, st.booleans())
SIDES = pytest.mark.parametrize("side", [slipway.uris, slipway_runtime.shown])


@SIDES
@given(URIS, st.sampled_from(["{}", "at {}.", "url='{}', status=403", '{{"url":"{}"}}', "<{}>"]))
def test_no_text_shows_what_opens_a_uri(side: Any, pair: tuple[str, str], sentence: str) -> None:
    secret, uri = pair
    assert secret not in side.shown(uri)
    assert secret not in side.scrubbed(sentence.format(uri))


@SIDES
@given(
    st.text(max_size=80),
    st.sampled_from(["\x1b[2J", "\x9b31m", "\x1b]0;t\x07", "\u202e", "\r", ""]),
)
def test_no_text_steers_the_terminal_of_who_reads_it(side: Any, text: str, mark: str) -> None:
    kept = side.scrubbed(f"{text}{mark}rm")
    assert not any(unicodedata.category(c) == "Cc" and c not in "\t\n" for c in kept)
    assert not any(unicodedata.bidirectional(c) in TURNS for c in kept if ord(c) > 0x200B)


TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@SIDES
def test_a_colored_log_is_told_without_its_colors(side: Any) -> None:
    assert side.scrubbed("\x1b[1;31mERROR\x1b[0m: line 1\n\tin f") == "ERROR: line 1\n\tin f"


def library_errors(uri: str) -> list[Exception]:
    request = SimpleNamespace(real_url=URL(uri))
    return [
        aiohttp.ClientResponseError(request, (), status=403, message="Forbidden"),  # type: ignore[arg-type]
        aiohttp.ClientResponseError(request, (), status=500, message="Oops"),  # type: ignore[arg-type]
        aiohttp.InvalidURL(uri),
        aiohttp.ClientError(f"cannot write to {uri}"),
        FileNotFoundError(uri),
        PermissionError(f"denied: {uri}"),
        TimeoutError(f"GET {uri}"),
        botocore.exceptions.EndpointConnectionError(endpoint_url=uri),
        ValueError(uri),
    ]


@given(SENDABLE)
def test_what_a_pod_says_of_a_failure_has_no_secret(pair: tuple[str, str]) -> None:
    secret, uri = pair
    for error in library_errors(uri):
        translated = store_errors.translate(uri, error)
        said = [str(translated), bringing.say_why(translated), bringing.say_why(error)]
        messages = [termination.encode_message({"message": text, "logTail": text}) for text in said]
        assert secret not in str(translated)
        assert not any(secret in text for text in messages)
    digest = download.DigestError(f"{uri} has the SHA-256 0, not 1")
    assert secret not in termination.encode_message({"message": str(digest)})


def test_what_a_program_logs_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    termination.say("bringing https://u:hunter2@host/x?sig=abcdef.")
    assert capsys.readouterr().err == "slipway: bringing https://host/x.\n"


@given(SENDABLE)
def test_a_failed_input_tells_no_secret(pair: tuple[str, str]) -> None:
    secret, uri = pair
    cluster = Cluster(spec(inputs=[{"name": "rows", "uri": uri}]))
    cluster.settle()
    (pod,) = cluster.pods()
    word = json.dumps({"reason": "AccessDenied", "exitCode": 1, "message": f"No: {uri}."})
    ended = {"exitCode": 1, "message": word, "finishedAt": "2026-01-01T12:00:01Z"}
    state = {"name": "input-rows", "state": {"terminated": ended}}
    pod["status"] = {"phase": "Failed", "initContainerStatuses": [state]}
    cluster.settle()
    assert "AccessDenied" in json.dumps(cluster.status)
    assert secret not in json.dumps([cluster.status, cluster.events])


@given(SENDABLE)
def test_a_script_that_logs_a_uri_with_a_secret_leaves_none_in_the_status(
    pair: tuple[str, str],
) -> None:
    secret, uri = pair
    cluster = Cluster(spec())
    cluster.settle()
    (pod,) = cluster.pods()
    word = {"reason": "ScriptFailed", "exitCode": 1, "logTail": f"cannot open {uri}"}
    cluster.finish(pod, 1, word)
    cluster.settle()
    assert cluster.status["failure"]["logTail"].startswith("cannot open https://")
    assert secret not in json.dumps([cluster.status, cluster.events])


@given(SENDABLE)
def test_the_record_of_an_archives_origin_holds_no_secret(pair: tuple[str, str]) -> None:
    secret, uri = pair
    source = {"archive": {"uri": uri}}
    cluster = Cluster(spec(source=source, package=PACKAGE, args=["--data", uri]))
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    made = cluster.job("package")
    assert made is not None
    (packager,) = made["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in packager["env"]}
    lineage = json.loads(env["SLIPWAY_LINEAGE"])
    assert lineage["source"]["archive"]["uri"].startswith("https://")
    assert secret not in env["SLIPWAY_LINEAGE"]


@given(SENDABLE)
def test_a_failed_archive_tells_no_secret(pair: tuple[str, str]) -> None:
    secret, uri = pair
    world = World({"uri": uri, "sha256": "ab" * 32})
    world.reconcile()
    word = terminated(1, fetch_word("AccessDenied", f"denied: {uri}"))
    world.add_pod(**init_status("fetch", state=word))
    world.reconcile()
    told = [(each["reason"], each["message"]) for each in world.status["conditions"]]
    assert "AccessDenied" in str(told)
    assert secret not in str(told)
    assert secret not in str([event.message for event in world.events])
