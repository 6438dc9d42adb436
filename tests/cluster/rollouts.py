"""What the cluster tests ask of a rollout, and have it do."""

from tests.cluster import toy
from tests.cluster.attack import attack_until
from tests.cluster.support import Space
from tests.harness import Object, plain_http
from tests.harness.waiting import wait_for


def rollout(found: Object) -> Object:
    """Return where a ModelDeployment's rollout stands; an empty object before there is one."""
    return found.get("status", {}).get("rollout") or {}


def candidate(found: Object) -> Object:
    """Return the revision that is tried; an empty object where there is none."""
    return rollout(found).get("candidate") or {}


def failed(found: Object) -> Object:
    """Return the revision that went back, and why; an empty object where none did."""
    return rollout(found).get("failed") or {}


def stable(found: Object) -> str:
    """Return the name of the stable revision; an empty text before there is one."""
    return str(rollout(found).get("stableRevision") or "")


def at_pause(found: Object, weight: int) -> bool:
    """Tell whether a rollout waits with this share, of which all Envoys have been told."""
    now = candidate(found)
    return now.get("weight") == weight and str(now.get("current", "")).startswith("pause")


def go_on(space: Space, name: str) -> None:
    """Ask that the step at which a rollout waits be passed."""
    now = candidate(space.deployment(name))
    request(space, name, "promote", f"{now['revision']}/{now['step']}")


def request(space: Space, name: str, what: str, value: str) -> None:
    """Ask something of a rollout by its annotation, as a person does."""
    note = f"slipway.dev/rollout-{what}={value}"
    space.kubectl.run("annotate", "--overwrite", "mdep", name, note)


def files_read(space: Space, name: str) -> float:
    """Return how many route files the Envoys of a deployment's blue slot have read."""
    pods = space.pods(f"slipway.dev/model-deployment={name},slipway.dev/track=blue")
    return sum(counted(pod, "rds.slipway.update_success") for pod in pods)


def wait_until_read(space: Space, name: str, known: float) -> float:
    """Wait until those Envoys have read another file; returns how many they have read then."""
    wait_for(lambda: files_read(space, name) > known, 180, "Envoy has read the share", space.report)
    return files_read(space, name)


def wait_until_all_answer(space: Space, name: str, answer: str) -> None:
    """Return once 100 requests in a row have this answer.

    The status tells of a promotion before Envoy has read it.
    """

    def only() -> bool:
        return attack_until(toy.target(space, name), 100).bodies.keys() == {answer}

    wait_for(only, 180, f"all users get {answer}", space.report)


def counted(pod: Object, name: str) -> float:
    """Return the sum of a pod's Envoy's counters whose own names end so, dots and all."""
    url = f"http://{pod['status']['podIP']}:9000/metrics"
    page = plain_http.get(url, params={"filter": f"{name}$"}, timeout=30).text
    lines = (line for line in page.splitlines() if line[:1] not in ("#", ""))
    return sum(float(line.split()[-1]) for line in lines)
