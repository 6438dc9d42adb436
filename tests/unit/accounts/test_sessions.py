"""Temporary credentials of a namespace, from a server that answers as STS is documented to."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from slipway.accounts.errors import CredentialError
from slipway.accounts.server.admin import Caller
from slipway.accounts.server.signing import Key
from slipway.accounts.server.sts import EXPIRES, Role, Sessions
from slipway.settings import Settings, StoreSettings
from tests.unit.accounts.conftest import Clock

SESSION = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>{expires}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<Error><Code>AccessDenied</Code><Message>Not authorized</Message></Error></ErrorResponse>"""


@dataclass
class Sts:
    """A server of AssumeRole; it counts and keeps what it was asked."""

    clock: Clock = field(default_factory=Clock)
    asked: list[dict[str, str]] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    answer: tuple[int, str] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append({name: str(value) for name, value in (await request.post()).items()})
        self.scopes.append(request.headers["Authorization"])
        expires = (self.clock() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        status, text = self.answer or (200, SESSION.format(number=len(self.asked), expires=expires))
        return web.Response(status=status, text=text)


@pytest.fixture
async def sts() -> AsyncIterator[tuple[Sts, Sessions]]:
    """The server, and what makes a namespace's credentials there."""
    server = Sts()
    app = web.Application()
    app.router.add_post("/", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    caller = Caller(endpoint, Key("ID", "secret"), "eu-west-1", "sts")
    role = Role(
        "arn:role", timedelta(hours=1), "s3://models/slipway", ("s3://models/slipway/shared",)
    )
    yield server, Sessions(caller, role, server.clock)
    await runner.cleanup()


async def test_a_session_is_narrowed_to_its_namespace(sts: tuple[Sts, Sessions]) -> None:
    server, sessions = sts
    found = await sessions.data("team", None)
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SESSION_TOKEN"]) == ("ASIA1", "token")
    (asked,) = server.asked
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRole", "arn:role")
    assert (asked["RoleSessionName"], asked["DurationSeconds"]) == ("slipway-team", "3600")
    written = json.loads(asked["Policy"])["Statement"][0]["Resource"]
    assert written[0] == "arn:aws:s3:::models/slipway/outputs/team/*"
    assert "/eu-west-1/sts/aws4_request" in server.scopes[0]


async def test_it_is_kept_for_half_of_its_time_and_then_renewed(sts: tuple[Sts, Sessions]) -> None:
    server, sessions = sts
    first = await sessions.data("team", None)
    server.clock.pass_by(minutes=29)
    assert await sessions.data("team", first) == first
    server.clock.pass_by(minutes=2)
    second = await sessions.data("team", first)
    assert second["AWS_ACCESS_KEY_ID"] == "ASIA2"


@pytest.mark.parametrize(
    "change",
    [
        {EXPIRES: "tomorrow"},
        {EXPIRES: "2999-01-01T00:00:00"},
        {EXPIRES: "2999-01-01T00:00:00Z"},
        {EXPIRES: ""},
        {"AWS_SESSION_TOKEN": ""},
    ],
)
async def test_one_that_somebody_spoilt_is_made_again(
    sts: tuple[Sts, Sessions], change: dict[str, str]
) -> None:
    _, sessions = sts
    spoilt = {**await sessions.data("team", None), **change}
    assert (await sessions.data("team", spoilt))["AWS_ACCESS_KEY_ID"] == "ASIA2"


async def test_a_policy_that_sts_would_not_take_is_told_with_what_to_write(
    sts: tuple[Sts, Sessions],
) -> None:
    server, sessions = sts
    many = tuple(f"s3://datasets-of-team-{number}/public" for number in range(20))
    wide = Sessions(sessions._caller, replace(sessions._role, shared=many), server.clock)
    with pytest.raises(CredentialError, match=r"STS takes 2048: name fewer .* store\.sharedUris"):
        await wide.data("team", None)
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((403, DENIED), "AccessDenied"),
        ((200, "<a/>"), "no credentials"),
        ((200, "no xml"), "no XML"),
        ((200, "x" * 17_000_000), "longer than"),
        ((302, ""), "302"),
    ],
)
async def test_an_answer_without_credentials_is_told(
    sts: tuple[Sts, Sessions], answer: tuple[int, str], told: str
) -> None:
    server, sessions = sts
    server.answer = answer
    with pytest.raises(CredentialError, match=told):
        await sessions.data("team", None)


@given(st.integers(1800, 43200), st.floats(10, 86400), st.floats(0, 1))
def test_a_session_is_renewed_by_a_look_before_it_ends(
    seconds: int, resync: float, left: float
) -> None:
    store = StoreSettings(credentials="sessions", session_seconds=seconds)
    settings = Settings(store=store, resync_seconds=resync)
    still_fresh = seconds / 2 + left * seconds / 2
    assert still_fresh - settings.look_again_seconds >= 0.0999 * seconds
    assert Settings(resync_seconds=resync).look_again_seconds == resync
