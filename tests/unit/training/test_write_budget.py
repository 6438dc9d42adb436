"""How many writes a job's life costs: numbers that flicker must not be written one by one."""

from slipway.api.training.status import Progress
from tests.unit.training.simulation import PACKAGE, Cluster, packaged, running, spec, trained


def live(cluster: Cluster) -> None:
    """Live a typical life, each small thing seen by a reconcile of its own."""
    cluster.settle()
    for pod in cluster.pods():
        creating = {"waiting": {"reason": "ContainerCreating"}}
        pod["status"] = {
            "phase": "Pending",
            "containerStatuses": [{"name": "trainer", "state": creating}],
        }
        cluster.settle()
        pod["status"] = running("train")
        cluster.wait(1)
        cluster.settle()
    for pod in reversed(cluster.pods()):
        cluster.wait(30)
        cluster.finish(pod, 0, trained())
        cluster.reconcile()
        cluster.settle()
    cluster.start("package")
    cluster.settle()
    cluster.wait(20)
    cluster.finish_all("package", packaged())
    cluster.reconcile()
    cluster.settle()


def test_a_life_from_creation_to_archive_costs_ten_writes() -> None:
    cluster = Cluster(spec(nodes=2, package=PACKAGE))
    live(cluster)
    assert cluster.status["phase"] == "Succeeded"
    assert sorted(cluster.writes) == [
        "apply Job",
        "apply Job",
        "apply NetworkPolicy",
        "apply Secret",
        "apply Service",
        "delete Service",
        *["status TrainingJob"] * 4,
    ]
    phases = [status["phase"] for status in cluster.statuses]
    assert phases == ["Queued", "Running", "Packaging", "Succeeded"]


def test_a_larger_group_costs_no_more() -> None:
    small, large = (Cluster(spec(nodes=nodes, package=PACKAGE)) for nodes in (2, 16))
    live(small)
    live(large)
    assert len(large.writes) == len(small.writes)


def test_progress_costs_one_write_each_and_brings_the_counts_up_to_date() -> None:
    cluster = Cluster(spec(nodes=2))
    cluster.settle()
    cluster.start()
    cluster.settle()
    before = len(cluster.statuses)
    cluster.finish(cluster.pods()[1])
    cluster.progress = Progress(step=1)
    for _ in range(3):
        cluster.settle()
    assert len(cluster.statuses) == before + 1
    assert cluster.status["nodes"]["succeeded"] == 1


def test_a_reconcile_that_changes_nothing_writes_nothing() -> None:
    cluster = Cluster(spec(nodes=2, package=PACKAGE))
    for act in (cluster.settle, cluster.start, cluster.settle):
        act()
    before = list(cluster.writes)
    for _ in range(10):
        cluster.wait(60)
        cluster.reconcile()
    assert cluster.writes == before
