"""Who decides how many pods there are: the spec, or the autoscaler, and never both."""

from slipway.plan import Manifest
from tests.unit.serving.world import World

AUTO = {"minReplicas": 2, "maxReplicas": 5}


def autoscalers(world: World) -> list[Manifest]:
    return world.of_kind("HorizontalPodAutoscaler")


def replicas(world: World) -> int:
    found: int = world.workload["spec"]["replicas"]
    return found


def test_replicas_follow_the_spec() -> None:
    world = World(replicas=3)
    world.reconcile()
    assert replicas(world) == 3
    world.workload["spec"]["replicas"] = 7
    world.reconcile()
    assert replicas(world) == 3
    world.change(replicas=0)
    world.reconcile()
    assert replicas(world) == 0


def test_an_autoscaled_deployment_starts_with_its_fewest_pods() -> None:
    world = World(replicas=9, autoscaling=AUTO)
    world.reconcile()
    assert replicas(world) == 2
    assert len(autoscalers(world)) == 1


def test_the_autoscalers_number_is_left_alone() -> None:
    world = World(autoscaling=AUTO)
    world.reconcile()
    for number in (4, 5, 2, 1):
        world.workload["spec"]["replicas"] = number
        assert world.reconcile().patch == ()


def test_switching_autoscaling_on_keeps_the_pods_that_are_there() -> None:
    world = World(replicas=4)
    world.roll_out()
    world.change(autoscaling=AUTO)
    world.reconcile()
    assert replicas(world) == 4


def test_switching_autoscaling_on_at_zero_starts_pods() -> None:
    world = World(replicas=0)
    world.reconcile()
    world.change(autoscaling=AUTO)
    world.reconcile()
    assert replicas(world) == 2


def test_switching_autoscaling_off_deletes_the_autoscaler_and_follows_the_spec() -> None:
    world = World(replicas=3, autoscaling=AUTO)
    world.reconcile()
    world.change(autoscaling=None)
    world.reconcile()
    assert autoscalers(world) == []
    assert replicas(world) == 3


def test_the_autoscaler_looks_at_torchserves_cpu_alone() -> None:
    world = World(autoscaling={**AUTO, "targetCPUUtilizationPercentage": 55})
    world.reconcile()
    (metric,) = autoscalers(world)[0]["spec"]["metrics"]
    assert metric["type"] == "ContainerResource"
    assert metric["containerResource"]["container"] == "torchserve"
    assert metric["containerResource"]["target"]["averageUtilization"] == 55
