"""The test's course: apply, follow, ask, and leave nothing behind."""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import KubeError, NotFound
from slipway.kube.resources import resource_of
from slipway.observed import condition
from slipway.plan import Manifest, ObjectRef
from slipway.selftest import manifests
from slipway.selftest.sources import OFFSET, SLOPE

_POLL_SECONDS = 1.0
_TOLERANCE = 0.01
_CLEANUP_SECONDS = 120.0
_POINTS = (-1.0, 0.0, 3.0)

Ask = Callable[[str, Any], Awaitable[Any]]
"""Posts JSON to a URL and returns the answer's; a coroutine function."""


class SelfTestError(Exception):
    """The test failed; the text says what was waited for, and what the object said last."""


async def post(url: str, body: Any) -> Any:
    """Post JSON and return the answer's; raises ``aiohttp.ClientError``."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.post(url, json=body) as answer,
    ):
        return await answer.json(content_type=None)


@dataclass
class SelfTest:
    """One run in ``namespace``; ``say`` gets a line for each thing that happens."""

    client: Client
    namespace: str
    name: str
    say: Callable[[str], None] = print
    ask: Ask = post
    _made: list[ObjectRef] = field(default_factory=list)
    _last: str = "nothing was seen"

    async def run(self, seconds: float) -> None:
        """Train, package, serve and ask a model within ``seconds``; then remove all of it.

        Raises ``SelfTestError`` where that does not work, and ``KubeError`` where the test's own
        account may not do its part.
        """
        gone = False
        try:
            async with asyncio.timeout(seconds):
                await self._course()
        except TimeoutError as error:
            raise SelfTestError(f"Not done after {seconds:.0f} s; last: {self._last}") from error
        finally:
            gone = await self._removed()
        if not gone:
            raise SelfTestError("What the test made was not gone in time; see above.")

    async def _course(self) -> None:
        where = self.namespace, self.name
        await self._create(manifests.source(*where))
        job = await self._create(manifests.training_job(*where))
        deployment = await self._create(manifests.model_deployment(*where))
        await self._follow(job, trained)
        await self._follow(deployment, served)
        await self._predict()

    async def _create(self, manifest: Manifest) -> ObjectRef:
        ref = ObjectRef.of(manifest)
        await self.client.create(resource_of(ref), self.namespace, manifest)
        self._made.append(ref)
        self.say(f"{ref.kind} {ref.name} made in namespace {ref.namespace}")
        return ref

    async def _follow(self, ref: ObjectRef, done: Callable[[Manifest], tuple[bool, str]]) -> None:
        """Tell an object's state whenever it changes, until it is done."""
        while True:
            found = await self.client.get(ref)
            if found is None:
                raise SelfTestError(f"{ref.kind} {ref.name} was deleted meanwhile.")
            finished, state = done(found)
            if (line := f"{ref.kind}: {state}") != self._last:
                self.say(line)
                self._last = line
            if finished:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _predict(self) -> None:
        url = f"http://{self.name}.{self.namespace}.svc/predict"
        try:
            answer = await self.ask(url, list(_POINTS))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SelfTestError(f"{url} gave no answer: {error or type(error).__name__}") from error
        self.say(f"Answer to {list(_POINTS)}: {answer}")
        if not right(answer):
            wanted = [SLOPE * x + OFFSET for x in _POINTS]
            raise SelfTestError(f"The model answered {answer} where about {wanted} is right.")

    async def _removed(self) -> bool:
        """Delete what was made, the last first, and tell whether it and its children are gone."""
        try:
            async with asyncio.timeout(_CLEANUP_SECONDS):
                for ref in reversed(self._made):
                    await self._delete(ref)
                    await self._until_gone(ref)
        except TimeoutError:
            self.say(f"Not gone after {_CLEANUP_SECONDS:.0f} s: {ref.kind} {ref.name}")
            return False
        self.say("What the test made is gone.")
        return True

    async def _delete(self, ref: ObjectRef) -> None:
        path = resource_of(ref).path(ref.namespace, ref.name)
        try:
            await self.client.request("delete", path, body={"propagationPolicy": "Foreground"})
        except NotFound:
            return

    async def _until_gone(self, ref: ObjectRef) -> None:
        while True:
            if await self.client.get(ref) is None:
                return
            await asyncio.sleep(_POLL_SECONDS)


def trained(job: Manifest) -> tuple[bool, str]:
    """Return whether a TrainingJob has succeeded, and its state; raises where it has failed."""
    status = job.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    if phase == "Failed":
        why = condition(status, "Failed").get("message", "")
        raise SelfTestError(f"The training failed: {why}")
    return phase == "Succeeded", phase


def served(deployment: Manifest) -> tuple[bool, str]:
    """Return whether a ModelDeployment is ready, and what it says of that."""
    ready = condition(deployment.get("status") or {}, "Ready")
    state = f"{ready.get('reason', 'Pending')}: {ready.get('message', 'not looked at yet')}"
    return ready.get("status") == "True", state


def right(answer: Any) -> bool:
    """Tell whether an answer is what ``y = 2x + 1`` gives for the points asked for."""
    if not isinstance(answer, list) or len(answer) != len(_POINTS):
        return False
    return all(
        isinstance(y, int | float) and abs(y - (SLOPE * x + OFFSET)) < _TOLERANCE
        for x, y in zip(_POINTS, answer, strict=True)
    )


async def run(namespace: str, prefix: str, seconds: float) -> int:
    """Run the test with the cluster access that the process has; return the exit status.

    Objects are named ``PREFIX-`` and a random end, so that two runs never meet. On SIGTERM they
    are removed before it ends.
    """
    connection = await connect(None, connections=2, observer=lambda *_: None)
    name = f"{prefix}-{secrets.token_hex(3)}"
    course = asyncio.ensure_future(SelfTest(Client(connection), namespace, name).run(seconds))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, course.cancel)
    try:
        await course
    except (SelfTestError, KubeError) as error:
        print(f"FAILED: {error}")
        return 1
    except asyncio.CancelledError:
        print("FAILED: told to end before the test was done")
        return 1
    finally:
        await connection.close()
    print("PASSED: a model was trained, packaged, served and asked.")
    return 0
