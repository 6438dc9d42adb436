"""The self-test against a cluster that a script plays."""

from typing import Any

import aiohttp
import pytest

from slipway.api.serving.deployment import ModelDeployment
from slipway.api.training.job import TrainingJob
from slipway.kube.errors import Forbidden, NotFound
from slipway.plan import Manifest, ObjectRef
from slipway.selftest import manifests, run, sources

RIGHT = [-1.0, 1.0, 7.0]
SUCCEEDED = {"phase": "Succeeded"}
FAILED = {"phase": "Failed", "conditions": [{"type": "Failed", "message": "exit code 1"}]}
READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "Available"}]}
STUCK = {"conditions": [{"type": "Ready", "status": "False", "reason": "ImagePullBackOff"}]}


class FakeCluster:
    """Keeps what is created; each kind has the status that the test gives it."""

    def __init__(self, job: Manifest, deployment: Manifest, refused: str = "") -> None:
        self._status = {"TrainingJob": job, "ModelDeployment": deployment, "ConfigMap": {}}
        self._refused = refused
        self.found: dict[str, Manifest] = {}
        self.deleted: list[tuple[str, Any]] = []

    async def create(self, resource: Any, namespace: str, body: Manifest) -> Manifest:
        if resource.kind == self._refused:
            raise Forbidden("not allowed", 403)
        self.found[resource.kind] = body
        return body

    async def get(self, ref: ObjectRef) -> Manifest | None:
        found = self.found.get(ref.kind)
        return {**found, "status": self._status[ref.kind]} if found else None

    async def request(self, method: str, path: str, body: Any) -> Manifest:
        kind = next((kind for kind in self.found if f"/{kind.lower()}s/" in path), None)
        if kind is None:
            raise NotFound("gone", 404)
        self.deleted.append((kind, body))
        return self.found.pop(kind)


def self_test(cluster: FakeCluster, answer: Any = RIGHT) -> tuple[run.SelfTest, list[str]]:
    async def ask(url: str, body: Any) -> Any:
        assert url == "http://trial.team.svc/predict"
        if isinstance(answer, Exception):
            raise answer
        return answer

    said: list[str] = []
    return run.SelfTest(cluster, "team", "trial", said.append, ask), said  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_POLL_SECONDS", 0.001)


async def test_a_model_that_answers_rightly_passes_and_nothing_is_left() -> None:
    cluster = FakeCluster(SUCCEEDED, READY)
    test, said = self_test(cluster)
    await test.run(120)
    assert cluster.found == {}
    whole = {"propagationPolicy": "Foreground"}
    kinds = ("ModelDeployment", "TrainingJob", "ConfigMap")
    assert cluster.deleted == [(kind, whole) for kind in kinds]
    assert "TrainingJob: Succeeded" in said
    assert said[-1] == "What the test made is gone."


@pytest.mark.parametrize(
    ("job", "deployment", "answer", "message"),
    [
        (FAILED, READY, RIGHT, "The training failed: exit code 1"),
        (SUCCEEDED, STUCK, RIGHT, "Not done after 3 s; last: ModelDeployment: ImagePullBackOff"),
        (SUCCEEDED, READY, [-1.0, 1.0, 7.5], r"answered \[-1.0, 1.0, 7.5\] where about"),
        (SUCCEEDED, READY, {"code": 503}, "where about"),
        (SUCCEEDED, READY, aiohttp.ClientError("refused"), "gave no answer: refused"),
    ],
    ids=["failed", "stuck", "wrong", "no list", "unreachable"],
)
async def test_what_does_not_work_is_told_and_nothing_is_left(
    job: Manifest, deployment: Manifest, answer: Any, message: str
) -> None:
    cluster = FakeCluster(job, deployment)
    test, _ = self_test(cluster, answer)
    with pytest.raises(run.SelfTestError, match=message):
        await test.run(3 if deployment is STUCK else 120)
    assert cluster.found == {}


async def test_what_was_made_before_a_refusal_is_removed() -> None:
    cluster = FakeCluster(SUCCEEDED, READY, refused="ModelDeployment")
    test, _ = self_test(cluster)
    with pytest.raises(Forbidden):
        await test.run(120)
    assert [kind for kind, _ in cluster.deleted] == ["TrainingJob", "ConfigMap"]


async def test_what_cannot_be_removed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CLEANUP_SECONDS", 0.05)
    cluster = FakeCluster(SUCCEEDED, READY)

    async def held(*_: Any, **__: Any) -> Manifest:
        return {}

    monkeypatch.setattr(cluster, "request", held)
    test, said = self_test(cluster)
    with pytest.raises(run.SelfTestError, match="not gone in time"):
        await test.run(120)
    assert "Not gone after 0 s: ModelDeployment trial" in said


def test_its_objects_are_what_the_kinds_take() -> None:
    TrainingJob.model_validate(_stored(manifests.training_job("team", "trial")))
    ModelDeployment.model_validate(_stored(manifests.model_deployment("team", "trial")))


def _stored(manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "uid": "1", "generation": 1}}


def test_the_models_files_are_whole_programs() -> None:
    for name, text in sources.FILES.items():
        compile(text, name, "exec")
