"""Reports about the pods of a training: refused, of other users, with more containers."""

from typing import Any

from tests.cluster.support import Space
from tests.harness import Object
from tests.reports.case import (
    HANDLER,
    NAME,
    OK,
    SMALL_PACKAGE,
    TRAINER_IMAGE,
    WRITES,
    Case,
    Look,
    NotPlayed,
    Sight,
    brief,
    ends,
    output_files,
    plain_object,
    succeeds,
    tells,
    training,
)


def quota(**hard: str) -> Object:
    """Return a ResourceQuota of the case's namespace."""
    limits = {name.replace("_", "."): amount for name, amount in hard.items()}
    return plain_object("ResourceQuota", spec={"hard": limits})


def limit_range(memory: str) -> Object:
    """Return a LimitRange with the most memory of a container."""
    return plain_object(
        "LimitRange", spec={"limits": [{"type": "Container", "max": {"memory": memory}}]}
    )


def as_user(**where: Any) -> Object:
    """Return a podTemplate with a security context of the pod's or the container's."""
    return {"spec": where}


def names_somewhere(word: str) -> Look:
    """Look whether one of a job's conditions has a word."""

    def look(space: Space) -> Sight:
        job = space.job(NAME)
        told = [one["message"] for one in job["status"].get("conditions", ())]
        return Sight(brief(job, "Running"), any(word in text for text in told))

    return look


CASES: tuple[Case | NotPlayed, ...] = (
    Case(
        "training F4 a quota of CPU limits",
        "all containers have limits, so that the job succeeds",
        (
            quota(limits_cpu="8", limits_memory="8Gi"),
            *training({"train.py": OK}, resources={"limits": {"cpu": "1", "memory": "256Mi"}}),
        ),
        succeeds(),
    ),
    Case(
        "training F4 a quota that is used up",
        "QuotaExceeded in the condition and the column, in the API server's words",
        (quota(pods="0"), *training({"train.py": OK})),
        tells(
            "Running",
            "QuotaExceeded",
            "exceeded quota",
            holds=lambda job: job["status"].get("reason") == "QuotaExceeded",
        ),
        seconds=30,
    ),
    Case(
        "training F4 a LimitRange of 1Gi",
        "the packaging pod fits too, and the job succeeds",
        (
            limit_range("1Gi"),
            *training(
                {"train.py": WRITES, "handler.py": HANDLER},
                package=SMALL_PACKAGE,
                resources={"limits": {"memory": "512Mi"}},
            ),
        ),
        succeeds(),
    ),
    Case(
        "training F4 a LimitRange that only the packaging breaks",
        "PodsRefused while it packages, in the API server's words",
        (
            limit_range("600Mi"),
            *training(
                {"train.py": WRITES, "handler.py": HANDLER},
                package={**SMALL_PACKAGE, "resources": {"limits": {"memory": "1Gi"}}},
                resources={"limits": {"memory": "256Mi"}},
                agent={"resources": {"limits": {"memory": "512Mi"}}},
            ),
        ),
        tells("Packaged", "PodsRefused", "maximum memory usage per Container is 600Mi"),
    ),
    Case(
        "training F8 runAsUser of the container",
        "the output is stored",
        training(
            {"train.py": WRITES},
            podTemplate=as_user(
                containers=[{"name": "trainer", "securityContext": {"runAsUser": 2000}}]
            ),
        ),
        succeeds(output_files(1)),
    ),
    Case(
        "training F8 runAsUser of the pod",
        "the output is stored",
        training({"train.py": WRITES}, podTemplate=as_user(securityContext={"runAsUser": 2000})),
        succeeds(output_files(1)),
    ),
    Case(
        "training F12 requests above limits, with a deadline for queueing",
        "PodsRefused or the Job refused, and the end when the deadline is over",
        training(
            {"train.py": OK},
            resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
            queueDeadlineSeconds=15,
        ),
        ends("Failed", "QueueDeadlineExceeded"),
        seconds=90,
    ),
    Case(
        "training a script that needs more memory than its limit",
        "OutOfMemory, and not only an exit code",
        training(
            {"train.py": "held = [bytearray(1 << 25) for _ in range(64)]\n"},
            resources={"limits": {"memory": "256Mi"}},
        ),
        ends("Failed", "OutOfMemory"),
    ),
    Case(
        "training P1 an init container that fails",
        "is named with its last words, and is not the script's failure",
        training(
            {"train.py": OK},
            podTemplate={
                "spec": {
                    "initContainers": [
                        {
                            "name": "prepare",
                            "image": TRAINER_IMAGE,
                            "command": ["sh", "-c", "echo no such table; exit 3"],
                        }
                    ]
                }
            },
        ),
        ends("Failed", "ContainerFailed", "prepare", "exit code 3", "no such table"),
    ),
    Case(
        "training P2 a second container that never ends",
        "is told by name once the training is over",
        training(
            {"train.py": OK},
            podTemplate={
                "spec": {
                    "containers": [
                        {
                            "name": "watcher",
                            "image": TRAINER_IMAGE,
                            "command": ["sleep", "3600"],
                        }
                    ]
                }
            },
        ),
        names_somewhere("watcher"),
        seconds=90,
    ),
)
