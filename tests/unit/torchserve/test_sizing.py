import pytest

from slipway.api.common import ResourceRequirements
from slipway.api.fields.quantity import parse_quantity
from slipway.serving.children.pod.runtimes.threads import threads_per_worker
from slipway.torchserve import java_options


@pytest.mark.parametrize(
    ("limit", "heap"),
    [
        (None, 512),
        ("512Mi", 128),
        ("2Gi", 256),
        ("4G", 476),
        ("64Gi", 1024),
        (1 << 31, 256),
        ("?", 512),
    ],
)
def test_java_gets_an_eighth_of_the_memory_limit_within_bounds(
    limit: str | int | None, heap: int
) -> None:
    resources = ResourceRequirements(limits={} if limit is None else {"memory": limit})
    assert f"-Xmx{heap}m " in java_options(resources)


@pytest.mark.parametrize(("body", "heap"), [(6_553_500, 128), (100 << 20, 400), (1 << 25, 128)])
def test_java_has_room_for_a_few_of_the_longest_bodies(body: int, heap: int) -> None:
    resources = ResourceRequirements(limits={"memory": "1Gi"})
    assert f"-Xmx{heap}m -XX:MaxDirectMemorySize={heap}m" in java_options(resources, body)


@pytest.mark.parametrize(
    ("limits", "requests", "workers", "threads"),
    [
        ({}, {}, 1, 1),
        ({}, {"cpu": "500m"}, 1, 1),
        ({}, {"cpu": 4}, 2, 2),
        ({"cpu": "8"}, {"cpu": 1}, 4, 2),
        ({"cpu": "3"}, {}, 2, 1),
        ({"cpu": "2"}, {}, 8, 1),
    ],
)
def test_workers_share_the_cpus(
    limits: dict[str, int | str], requests: dict[str, int | str], workers: int, threads: int
) -> None:
    resources = ResourceRequirements(limits=limits, requests=requests)
    assert threads_per_worker(resources, workers) == threads


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("500m", 0.5), ("2Gi", 2 << 30), ("1e3", 1000), ("1.5", 1.5), ("5k", 5000)],
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    found = parse_quantity(text)
    assert found is not None
    assert float(found) == number


@pytest.mark.parametrize("text", ["", "a lot", "1..2", "5Q", "--1"])
def test_what_is_no_quantity_has_no_number(text: str) -> None:
    assert parse_quantity(text) is None
