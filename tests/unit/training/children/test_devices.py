"""What GPUs decide."""

from typing import Any

import pytest

from slipway.training.children.pod.devices import backend, gpus, processes_per_node
from tests.unit.training.simulation import spec, training_job


def with_gpus(limit: Any, **fields: Any) -> Any:
    limits = {} if limit is None else {"nvidia.com/gpu": limit}
    return training_job(spec(resources={"limits": limits}, **fields)).spec


@pytest.mark.parametrize(
    ("limit", "count"),
    [(None, 0), (0, 0), (1, 1), ("4", 4), ("1k", 1000), ("2e0", 2), ("8000m", 8), ("+2", 2)],
)
def test_gpus_are_counted_in_any_form_of_a_quantity(limit: Any, count: int) -> None:
    assert gpus(with_gpus(limit)) == count


def test_nccl_is_for_gpus_and_gloo_for_all_else() -> None:
    assert [backend(with_gpus(limit)) for limit in (None, 0, 2)] == ["gloo", "gloo", "nccl"]


def test_auto_means_one_process_a_gpu_and_at_least_one() -> None:
    assert [processes_per_node(with_gpus(limit)) for limit in (None, 1, 4)] == ["1", "1", "4"]


def test_a_number_of_processes_is_taken_as_it_is() -> None:
    assert processes_per_node(with_gpus(4, processesPerNode=2)) == "2"
