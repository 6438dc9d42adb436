"""A load that makes, changes and deletes objects, and knows which state each should reach."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator

from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import CHILDREN, MODEL_DEPLOYMENTS, TRAINING_JOBS, Resource
from slipway.plan import Manifest
from tests.scale import workloads

_JOBS, _PODS = (next(one for one in CHILDREN if one.kind == kind) for kind in ("Job", "Pod"))
_MERGE = {"Content-Type": "application/merge-patch+json"}
_BACKGROUND = {"propagationPolicy": "Background"}


class Load:
    """Objects in one namespace, of which about as many are there at each time.

    ``fields`` are further ones of each TrainingJob's spec.
    """

    def __init__(self, client: Client, jobs: int, models: int, **fields: object) -> None:
        self._client = client
        self._jobs, self._models, self._fields = jobs, models, fields
        self._numbers = itertools.count()
        self._present: list[int] = []
        self.changes = 0

    async def begin(self) -> None:
        """Make all objects."""
        for _ in range(self._jobs):
            await self._make_job()
        for number in range(self._models):
            manifest = workloads.model_deployment(number)
            await self._client.create(MODEL_DEPLOYMENTS, workloads.NAMESPACE, manifest)

    async def go_on(self, seconds: float, pause: float = 0.5) -> None:
        """Change something every now and then; what the API server does not take is left."""
        end = asyncio.get_running_loop().time() + seconds
        for step in itertools.count():
            if asyncio.get_running_loop().time() >= end:
                return
            with contextlib.suppress(KubeError):
                await self._change(step)
                self.changes += 1
            await asyncio.sleep(pause)

    async def _change(self, step: int) -> None:
        kind = step % 4
        if kind == 0:
            await self._make_job()
        elif kind == 1:
            number = self._present[0]
            await self._client.request("delete", _path(TRAINING_JOBS, f"job-{number}"), _BACKGROUND)
            self._present.remove(number)
        elif kind == 2:
            number = self._present[step % len(self._present)]
            suspend = bool(step // 4 % 2)
            await self._patch(TRAINING_JOBS, f"job-{number}", {"suspend": suspend})
        else:
            name = f"model-{step % self._models}"
            bounds = {"minReplicas": 1, "maxReplicas": 2 + step % 5}
            await self._patch(MODEL_DEPLOYMENTS, name, {"autoscaling": bounds})

    async def _make_job(self) -> None:
        number = next(self._numbers)
        manifest = workloads.training_job(number)
        manifest["spec"] |= self._fields
        await self._client.create(TRAINING_JOBS, workloads.NAMESPACE, manifest)
        self._present.append(number)

    async def _patch(self, resource: Resource, name: str, spec: Manifest) -> None:
        await self._client.request("patch", _path(resource, name), {"spec": spec}, headers=_MERGE)

    async def unsettled(self) -> list[str]:
        """Return a line for each object that is not in the state that it should reach."""
        jobs, deployments, children, pods = [
            (await self._client.request("get", resource.path(workloads.NAMESPACE)))["items"]
            for resource in (TRAINING_JOBS, MODEL_DEPLOYMENTS, _JOBS, _PODS)
        ]
        uids = {job["metadata"]["uid"] for job in jobs}
        orphans = [child for child in children if _owner(child) not in uids]
        return [
            *itertools.chain.from_iterable(_of_job(job, children, pods) for job in jobs),
            *itertools.chain.from_iterable(map(_of_deployment, deployments)),
            *(f"Job {one['metadata']['name']} has no owner" for one in orphans),
        ]


def _path(resource: Resource, name: str) -> str:
    return resource.path(workloads.NAMESPACE, name)


def _owner(obj: Manifest) -> str:
    references = obj["metadata"].get("ownerReferences") or [{}]
    return str(references[0].get("uid", ""))


def _of_job(job: Manifest, children: list[Manifest], pods: list[Manifest]) -> Iterator[str]:
    """Yield what is wrong with a TrainingJob, its Job and its pods."""
    name, status = job["metadata"]["name"], job.get("status") or {}
    suspended = bool(job["spec"].get("suspend"))
    phase = "Suspended" if suspended else "Running"
    if status.get("phase") != phase:
        yield f"TrainingJob {name} is {status.get('phase')}, not {phase}"
    if status.get("observedGeneration") != job["metadata"]["generation"]:
        yield f"TrainingJob {name} has a status of another generation"
    if status.get("attempt"):
        yield f"TrainingJob {name} was started anew, and nothing was wrong with it"
    mine = [child for child in children if _owner(child) == job["metadata"]["uid"]]
    if len(mine) != 1 and not suspended:
        yield f"TrainingJob {name} has {len(mine)} Jobs"
    made = {child["metadata"]["uid"] for child in mine}
    count = sum(_owner(pod) in made for pod in pods)
    if count != (0 if suspended else workloads.NODES):
        yield f"TrainingJob {name} has {count} pods"


def _of_deployment(deployment: Manifest) -> Iterator[str]:
    """Yield what is wrong with a ModelDeployment."""
    name, status = deployment["metadata"]["name"], deployment.get("status") or {}
    ready = [c for c in status.get("conditions") or () if c["type"] == "Ready"]
    if not ready or ready[0]["status"] != "True":
        yield f"ModelDeployment {name} is not ready"
    if status.get("observedGeneration") != deployment["metadata"]["generation"]:
        yield f"ModelDeployment {name} has a status of another generation"
