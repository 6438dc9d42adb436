"""Two slots, each a real Envoy before a stand-in for TorchServe, and how requests are shared."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from slipway.envoy import Condition, Split, Sticky, route_file, to_text
from slipway.envoy.clusters import IDLE_SECONDS
from slipway.serving.rollout.machine import ROUTES_GRACE_SECONDS
from tests.unit.envoy.pod import Pod, eventually, mount, running_pod

TOKEN = "between-us"


@dataclass
class Slots:
    """The stable pod, whose Envoy splits, and the candidate's."""

    stable: Pod
    candidate: Pod

    def target(self) -> str:
        return f"127.0.0.1:{self.candidate.config.http_port}"

    async def split(self, **fields: object) -> None:
        """Write the route file, and wait until Envoy has read it."""
        before = await self._updates()
        split = replace(Split(target=self.target()), **fields)  # type: ignore[arg-type]
        text = to_text(route_file(self.stable.config, split))
        mount(Path(self.stable.config.routes_folder), text)

        async def has_read() -> bool:
            return await self._updates() != before

        await eventually(has_read, "Envoy has read the route file")

    async def _updates(self) -> str:
        return await self.stable.admin("/stats?filter=^http.http.rds.slipway.update_success$")

    async def connections(self) -> int:
        """Return how many connections the stable pod's Envoy holds to the other slot."""
        text = await self.stable.admin("/stats?filter=^cluster.other.upstream_cx_active$")
        return int(text.rsplit(":", 1)[1])

    def seen(self) -> tuple[int, int]:
        """Return how many requests the two TorchServes have seen: stable, candidate."""
        return len(self.stable.torchserve.paths), len(self.candidate.torchserve.paths)

    def forget(self) -> None:
        self.stable.torchserve.paths.clear()
        self.candidate.torchserve.paths.clear()


@asynccontextmanager
async def two_slots(folder: Path) -> AsyncIterator[Slots]:
    for name in ("stable", "candidate"):
        (folder / name).mkdir()
    async with (
        running_pod(folder / "stable", revision="old", forward_token=TOKEN) as stable,
        running_pod(
            folder / "candidate", model="other-name", revision="new", forward_token=TOKEN
        ) as candidate,
    ):
        yield Slots(stable, candidate)


async def ask(pod: Pod, times: int, **headers: str) -> Counter[int]:
    """Return the status codes of some requests, sixteen at a time."""
    codes: Counter[int] = Counter()
    url = pod.url(pod.config.http_port, "/predict")

    async def some(count: int) -> None:
        for _ in range(count):
            async with pod.session.post(url, data=b"[1]", headers=headers) as answer:
                await answer.read()
                codes[answer.status] += 1

    await asyncio.gather(*(some(times // 16) for _ in range(16)), some(times % 16))
    return codes


async def test_no_connection_to_a_revision_is_left_when_the_next_one_may_have_its_slot(
    tmp_path: Path,
) -> None:
    """A connection to a Service leads to the pod that it was opened to, whoever comes there."""
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=50)
        await ask(slots.stable, 64)
        assert await slots.connections() > 0
        await slots.split(target=None, weight=0)

        async def all_closed() -> bool:
            return await slots.connections() == 0

        await eventually(all_closed, "all connections to the other slot are closed")
    assert IDLE_SECONDS < ROUTES_GRACE_SECONDS


@pytest.mark.parametrize("weight", [1, 10, 50, 99])
async def test_the_other_slot_gets_its_share(tmp_path: Path, weight: int) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=weight)
        assert await ask(slots.stable, 2000) == {200: 2000}
        stable, candidate = slots.seen()
        assert stable + candidate == 2000
        deviation = 5 * (2000 * weight * (100 - weight)) ** 0.5 / 100
        assert abs(candidate - 20 * weight) < deviation


async def test_all_or_nothing_is_exact(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=100)
        await ask(slots.stable, 100)
        assert slots.seen() == (0, 100)
        slots.forget()
        await slots.split(weight=0)
        await ask(slots.stable, 100)
        assert slots.seen() == (100, 0)


async def test_no_request_is_lost_while_the_route_file_changes(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        load = asyncio.create_task(ask(slots.stable, 6000))
        for weight in (10, 90, 0, 100, 50):
            await slots.split(weight=weight)
        assert await load == {200: 6000}


async def test_a_forwarded_request_asks_for_the_other_models_own_path(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=100)
        assert await slots.stable.post("/predict?a=1", b"[7]") == (200, "[7]")
        assert await slots.stable.post("/predictions/iris", b"[8]") == (200, "[8]")
        paths = slots.candidate.torchserve.paths
        assert paths == ["/predictions/other-name?a=1", "/predictions/other-name"]


async def test_two_slots_that_point_at_each_other_make_no_loop(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        back = Slots(slots.candidate, slots.stable)
        await slots.split(weight=100)
        await back.split(weight=100)
        assert await ask(slots.stable, 10) == {200: 10}
        assert slots.seen() == (0, 10)


async def test_no_user_can_choose_where_a_request_goes(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        nowhere = {"x-slipway-forwarded": "127.0.0.1:1", "x-slipway-token": "guessed"}
        await slots.split(weight=100)
        assert await ask(slots.stable, 10, **nowhere) == {200: 10}
        assert slots.seen() == (0, 10)
        await slots.split(weight=0)
        assert await ask(slots.stable, 10, **nowhere) == {200: 10}
        assert slots.seen() == (10, 10)


@pytest.mark.parametrize("path", ["/predictANYTHING", "/predictions/other-name"])
async def test_no_user_gets_further_by_saying_that_a_request_was_forwarded(
    tmp_path: Path, path: str
) -> None:
    async with running_pod(tmp_path, forward_token=TOKEN) as pod:
        url = pod.url(pod.config.http_port, path)
        for value in ("", "guessed", "127.0.0.1:1"):
            headers = {"x-slipway-forwarded": value, "x-slipway-token": value}
            async with pod.session.post(url, data=b"1", headers=headers) as answer:
                assert answer.status == 404
        assert pod.torchserve.paths == []


@pytest.mark.parametrize("split", [{"weight": 100}, {"weight": 100, "mirror": True}])
async def test_no_model_learns_by_what_the_envoys_know_each_other(
    tmp_path: Path, split: dict[str, object]
) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(**split)
        await ask(slots.stable, 10)

        async def has_come() -> bool:
            return slots.seen()[1] == 10

        await eventually(has_come, "the other slot has the requests")
        headers = slots.stable.torchserve.headers + slots.candidate.torchserve.headers
        assert not [name for one in headers for name in one if name.startswith("x-slipway")]


async def test_an_answer_names_the_revision_that_gave_it(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        slots.candidate.torchserve.claims = "another"
        assert await revisions(slots.stable) == {"old"}
        await slots.split(weight=50)
        assert await revisions(slots.stable) == {"old", "new"}
        await slots.split(weight=0, matches=((Condition("x-new"),),))
        assert await revisions(slots.stable, **{"x-new": "1"}) == {"new"}
        await slots.split(weight=100, mirror=True)
        assert await revisions(slots.stable) == {"old"}


async def revisions(pod: Pod, **headers: str) -> set[str]:
    """Return which revisions answer some requests, as the answers say."""
    url = pod.url(pod.config.http_port, "/predict")
    named = set()
    for _ in range(40):
        async with pod.session.post(url, data=b"1", headers=headers) as answer:
            named.add(answer.headers["x-slipway-revision"])
    return named


async def test_a_mirrored_share_is_answered_by_the_pod_itself(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        slots.candidate.torchserve.status = 500
        await slots.split(weight=50, mirror=True)
        assert await ask(slots.stable, 1000) == {200: 1000}

        async def mirrored() -> bool:
            return slots.seen()[1] > 400

        await eventually(mirrored, "half of the requests were copied")
        stable, candidate = slots.seen()
        assert stable == 1000
        assert abs(candidate - 500) < 100
        assert set(slots.candidate.torchserve.paths) == {"/predictions/other-name"}


async def test_a_mirrored_body_arrives_whole(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=100, mirror=True)
        body = b"x" * 6_000_000
        assert (await slots.stable.post("/predict", body))[0] == 200

        async def whole() -> bool:
            return slots.candidate.torchserve.longest == len(body)

        await eventually(whole, "the copy has come")


async def test_a_dead_mirror_hurts_nobody(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=100, mirror=True, target="127.0.0.1:1")
        assert await ask(slots.stable, 100) == {200: 100}


@pytest.mark.parametrize(
    ("condition", "value", "other"),
    [
        (Condition("x-group", exact="beta"), "beta", "beta2"),
        (Condition("X-Group", prefix="be"), "beta", "alpha"),
        (Condition("x-group", regex="b.*a"), "beta", "betas"),
        (Condition("x-group"), "anything", None),
    ],
)
async def test_requests_with_a_header_go_to_the_other_slot(
    tmp_path: Path, condition: Condition, value: str, other: str | None
) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(matches=((condition,),))
        assert await ask(slots.stable, 10, **{"x-group": value}) == {200: 10}
        assert slots.seen() == (0, 10)
        assert await ask(slots.stable, 10, **({"x-group": other} if other else {})) == {200: 10}
        assert slots.seen() == (10, 10)


@pytest.mark.parametrize(
    ("condition", "matching", "others"),
    [
        (Condition("group", exact="b.", cookie=True), ["group=b.", "a=1; group=b."], ["group=bx"]),
        (Condition("group", prefix="b", cookie=True), ["a=1;group=beta; c=2"], ["xgroup=beta"]),
        (Condition("group", regex="a|b", cookie=True), ["group=b", "c=1; group=a"], ["group=ab"]),
        (Condition("group", cookie=True), ["group=x"], ["group=", "other=group"]),
    ],
)
async def test_requests_with_a_cookie_go_to_the_other_slot(
    tmp_path: Path, condition: Condition, matching: list[str], others: list[str]
) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(matches=((condition,),))
        for cookie in matching:
            await ask(slots.stable, 1, cookie=cookie)
        assert slots.seen() == (0, len(matching))
        for cookie in others:
            await ask(slots.stable, 1, cookie=cookie)
        assert slots.seen() == (len(others), len(matching))


async def test_all_conditions_of_one_match_and_any_of_the_matches(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        both = (Condition("x-a", exact="1"), Condition("x-b", exact="2"))
        await slots.split(matches=(both, (Condition("x-c"),)))
        await ask(slots.stable, 1, **{"x-a": "1"})
        await ask(slots.stable, 1, **{"x-b": "2"})
        assert slots.seen() == (2, 0)
        await ask(slots.stable, 1, **{"x-a": "1", "x-b": "2"})
        await ask(slots.stable, 1, **{"x-c": ""})
        assert slots.seen() == (2, 2)


async def test_a_header_keeps_a_user_where_they_are_while_the_weight_grows(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        there: set[int] = set()
        for weight in (10, 40, 70):
            await slots.split(weight=weight, sticky=Sticky(header="x-user"))
            now = set()
            for user in range(200):
                slots.forget()
                for _ in range(2):
                    await ask(slots.stable, 1, **{"x-user": f"user-{user}"})
                assert slots.seen() in ((2, 0), (0, 2))
                if slots.seen() == (0, 2):
                    now.add(user)
            assert there <= now
            assert abs(len(now) - 2 * weight) < 35
            there = now


async def test_a_cookie_is_set_once_and_keeps_its_user_in_a_slot(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=50, sticky=Sticky(cookie="seat", seconds=60))
        url = slots.stable.url(slots.stable.config.http_port, "/predict")
        went = Counter[tuple[int, int]]()
        for _ in range(60):
            slots.forget()
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as user:
                for turn in range(4):
                    async with user.post(url, data=b"1") as answer:
                        assert ("seat" in answer.cookies) == (turn == 0)
                        assert turn or answer.cookies["seat"]["max-age"] == "60"
            assert slots.seen() in ((4, 0), (0, 4))
            went[slots.seen()] += 1
        assert min(went[4, 0], went[0, 4]) >= 10


async def test_requests_without_the_sticky_header_are_shared_by_weight(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        await slots.split(weight=50, sticky=Sticky(header="x-user"))
        await ask(slots.stable, 400)
        assert abs(slots.seen()[0] - 200) < 50


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_share_lies_between_nothing_and_all(weight: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Split(weight=weight)
