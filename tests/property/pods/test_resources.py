"""Whatever users and administrators say: what the operator adds is bounded, and passes a quota."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.common import ResourceRequirements
from slipway.api.fields.quantity import parse_quantity
from slipway.api.training.status import PackagingStatus
from slipway.pods.resources import DEFAULTS, layered, room
from slipway.settings import Settings
from slipway.training.children.packaging_job import packaging_job
from slipway.training.children.training_job import training_job
from slipway.training.children.trust import Trained
from tests.unit.serving.world import World
from tests.unit.training import simulation

CPU = st.sampled_from(["1m", "50m", "0.1", 1, "3", "64"])
MEMORY = st.sampled_from(["1Mi", "100M", "128Mi", "2Gi", "64G"])
AMOUNTS = st.fixed_dictionaries({}, optional={"cpu": CPU, "memory": MEMORY})
USERS_OWN = ("trainer", "torchserve")


def _number(value: object) -> float:
    found = parse_quantity(value)
    assert found is not None
    return float(found)


def _sound(pair: tuple[dict[str, Any], dict[str, Any]]) -> bool:
    requests, limits = pair
    both = requests.keys() & limits.keys()
    return all(_number(requests[name]) <= _number(limits[name]) for name in both)


LAYERS = (
    st.tuples(AMOUNTS, AMOUNTS)
    .filter(_sound)
    .map(lambda pair: ResourceRequirements(requests=pair[0], limits=pair[1]))
)


def _check(container: dict[str, Any]) -> None:
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    for name in ("cpu", "memory"):
        assert 0 < _number(requests[name]) <= _number(limits[name]), container["name"]
    assert "ephemeral-storage" not in {**requests, **limits}


def _check_pod(pod: dict[str, Any]) -> None:
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        if container["name"] not in USERS_OWN:
            _check(container)
    for volume in pod["volumes"]:
        if "emptyDir" in volume:
            assert _number(volume["emptyDir"]["sizeLimit"]) > 0, volume["name"]


@given(st.lists(LAYERS, max_size=3))
def test_the_last_word_counts_and_no_request_exceeds_its_limit(
    layers: list[ResourceRequirements],
) -> None:
    merged = layered(DEFAULTS["agent"], *layers)
    for name in ("cpu", "memory"):
        assert _number(merged.requests[name]) <= _number(merged.limits[name])
    if layers:
        assert merged.requests.items() >= layers[-1].requests.items()
        assert merged.limits.items() >= layers[-1].limits.items()


@given(LAYERS, LAYERS)
def test_all_that_is_added_to_training_and_packaging_pods_is_bounded(
    administrators: ResourceRequirements, users: ResourceRequirements
) -> None:
    said = {"resources": users.to_wire()}
    fields = {
        "source": {"git": {"url": "https://git.example/a.git"}},
        "agent": said,
        "fetch": said,
        "checkpoint": {},
        "inputs": [{"name": "a", "uri": "https://data.example/a"}],
        "package": {**simulation.PACKAGE, **said},
    }
    own = dict.fromkeys(DEFAULTS, administrators)
    settings = simulation.SETTINGS.model_copy(update={"resources": own})
    job = simulation.training_job(simulation.spec(**fields))
    _check_pod(training_job(job, settings)["spec"]["template"]["spec"])
    assert job.spec.package
    packed = packaging_job(
        job,
        job.spec.package,
        settings,
        "s3://slipway/o",
        Trained("i:1"),
        PackagingStatus(number=1, digest="0"),
    )
    _check_pod(packed["spec"]["template"]["spec"])
    (packager,) = packed["spec"]["template"]["spec"]["containers"]
    assert packager["resources"]["limits"].items() >= users.limits.items()


@given(LAYERS)
def test_all_that_is_added_to_serving_pods_is_bounded(users: ResourceRequirements) -> None:
    said = {"resources": users.to_wire()}
    world = World(server={"fetch": said, "proxy": said})
    (live,) = (one for one in world.plan().apply if one["kind"] == "Deployment")
    _check_pod(live["spec"]["template"]["spec"])


def test_an_administrator_sets_resources_and_sizes_by_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_RESOURCES", '{"agent":{"limits":{"cpu":4}},"fetch":{}}')
    monkeypatch.setenv("SLIPWAY_VOLUME_SIZES", '{"output":"50Gi"}')
    job = simulation.training_job(simulation.spec())
    pod = training_job(job, Settings(_env_file=None))["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["resources"]["limits"] == {"cpu": 4, "memory": "1Gi"}
    (output,) = (one for one in pod["volumes"] if one["name"] == "output")
    assert output["emptyDir"] == {"sizeLimit": "50Gi"}


@given(text=st.sampled_from(["1", 5, "1Ki", "2Gi", "1.5G", "64M"]))
def test_programs_are_told_in_whole_bytes_how_large_volumes_may_grow(text: str | int) -> None:
    told = json.loads(room({"/slipway/source": text})["SLIPWAY_ROOM"])
    assert told == {"/slipway/source": int(_number(text))}
