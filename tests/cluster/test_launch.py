"""What TrainingJobs run, where it comes from, and what they start with; all with real processes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import git_pod, neighbour
from tests.cluster.support import ROOT, Space, claim, condition, phase, source
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

HOLD = "test.slipway.dev/hold"
ROWS = "age,income\n41,3\n"
DIGEST = hashlib.sha256(ROWS.encode()).hexdigest()
LATE = """
import os
print("here is", os.environ["RANK"], "of", os.environ["WORLD_SIZE"])
"""
PAIR = """
import os
assert os.environ["WORLD_SIZE"] == "2"
assert os.environ["MASTER_ADDR"]
"""
FROM_GIT = """
import os, pathlib
assert not {"username", "password", "ssh-privatekey", "known_hosts"} & set(os.environ)
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "here.txt").write_text(os.getcwd())
"""
MAKE = f"""
import os, pathlib, tarfile
output = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
for path in (output / "rows.csv", output / "set" / "a.csv", output / "set" / "b" / "c.csv"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text({ROWS!r})
pathlib.Path("/data/rows").mkdir()
pathlib.Path("/data/rows/rows.csv").write_text({ROWS!r})
with tarfile.open(output / "code.tar.gz", "w:gz", dereference=True) as archive:
    archive.add("/slipway/source/read.py", "net/read.py")
"""
READ = f"""
import os, pathlib
inputs = pathlib.Path(os.environ["SLIPWAY_INPUTS_DIR"])
found = {{str(path.relative_to(inputs)) for path in inputs.rglob("*") if path.is_file()}}
assert found == {{"file/rows.csv", "folder/a.csv", "folder/b/c.csv", "claim/rows.csv"}}, found
assert all((inputs / name).read_text() == {ROWS!r} for name in found)
assert not [name for name in os.environ if name.startswith("AWS_")]
for name in ("file", "folder", "claim"):
    try:
        (inputs / name / "new").write_text("x")
    except OSError as error:
        assert error.errno == 30, error
    else:
        raise SystemExit(f"{{name}} can be written")
"""
WITH_CLAIM = {
    "spec": {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "containers": [
            {"name": "trainer", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        ],
    }
}
OUTCOMES: dict[str, str | int | list[str]] = {
    "add a module": "EROFS",
    "change the launcher": "EROFS",
    "remove the launcher": "EROFS",
    "remove the socket": "EROFS",
    "listen beside the socket": "EROFS",
    "processes of the sidecar": 0,
    "number of the sidecar": 0,
    "files of others": [],
    "end the sidecar": "EINVAL",
    "enter the sidecar": "EPERM",
}
"""What a script can do to what the sidecar hands out, and what it sees of it."""
USERS: dict[str, tuple[int, Object]] = {
    "neighbour": (10001, {}),
    "neighbour-by-pod": (2000, {"securityContext": {"runAsUser": 2000}}),
    "neighbour-by-container": (
        3000,
        {
            "containers": [
                {"name": "trainer", "securityContext": {"runAsUser": 3000, "runAsGroup": 3000}}
            ]
        },
    ),
}
"""The scripts' users, by the names of their jobs, and what their podTemplates say for that."""
SSH_URL = f"ssh://git@{git_pod.NAME}:{git_pod.SSH_PORT}/net"
BY_KEY = {"ref": "v1", "credentialsSecretName": "git-ssh"}
SMALL = {"requests": {"cpu": "50m", "memory": "64Mi"}}


def plain(name: str, **spec: Any) -> Object:
    """Return a TrainingJob of a plain command."""
    whole = {"framework": "plain", "resources": SMALL, **spec}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": whole,
    }


def git(**fields: Any) -> dict[str, Any]:
    """Return the source that the cluster's git server has."""
    url = f"http://{git_pod.NAME}:{git_pod.PORT}/net"
    return {"git": {"url": url, "path": "src", "credentialsSecretName": "git", **fields}}


@pytest.fixture(scope="module")
def space(shared: Space, cluster: Cluster) -> Space:
    """The examples and this module's jobs, begun together; each test looks at its own."""
    for example in ("plain", "tf-config"):
        shared.kubectl.run("apply", "-f", str(ROOT / "examples" / example))
    shared.apply(*git_pod.objects(_trainer_image(cluster), train=FROM_GIT))
    shared.wait_for_pod("git")
    late = {"configMap": {"name": "late"}}
    held = {"spec": {"schedulingGates": [{"name": HOLD}]}}
    shared.apply(
        claim("data", "10Mi"),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "empty"}},
        source("make", make=MAKE, read=READ),
        source("late", late=LATE, main=PAIR),
        plain(
            "make",
            source={"configMap": {"name": "make"}},
            entrypoint="make.py",
            podTemplate=WITH_CLAIM,
        ),
        source("neighbour", neighbour=Path(neighbour.__file__).read_text()),
        *(_neighbour(name, template) for name, (_, template) in USERS.items()),
        plain("cloned", source=git(ref="v1"), entrypoint="train.py"),
        plain("by-ssh", source=git(url=SSH_URL, **BY_KEY), entrypoint="train.py"),
        plain("branchless", source=git(ref="mian"), entrypoint="train.py"),
        plain("uninvited", source=git(credentialsSecretName="empty"), entrypoint="train.py"),
        plain(
            "pair",
            framework="torchrun",
            source=late,
            processesPerNode=2,
            command=["torchrun"],
            args=["main.py"],
        ),
        plain("late", framework="torchrun", source=late, module="late", nodes=2, podTemplate=held),
    )
    return shared


def _neighbour(name: str, template: Object) -> Object:
    return plain(
        name,
        source={"configMap": {"name": "neighbour"}},
        entrypoint="neighbour.py",
        podTemplate={"spec": template},
    )


def _trainer_image(cluster: Cluster) -> str:
    (operator,) = cluster.system.list("deployments", "app.kubernetes.io/component=operator")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    return str(env["SLIPWAY_TRAINER_IMAGE"])


def succeeded(space: Space, name: str) -> Object:
    """Return a job that ended well."""
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    assert phase(job) == "Succeeded", (condition(job, "Failed"), space.report())
    return job


def log(space: Space, pod: str, container: str = "trainer") -> str:
    """Return a container's log."""
    return space.kubectl.run("logs", pod, "-c", container)


def pod_of(space: Space, name: str, index: int = 0) -> str:
    """Return the name of a job's pod with an index, once it is there."""
    labels = f"slipway.dev/training-job={name},batch.kubernetes.io/job-completion-index={index}"
    found = wait_for(lambda: space.pods(labels), 240, f"{name} has pod {index}", space.report)
    return str(found[0]["metadata"]["name"])


def test_workers_that_are_there_first_wait_for_the_first_pod(space: Space) -> None:
    ungate = ("--type=json", "-p", '[{"op": "remove", "path": "/spec/schedulingGates"}]')
    first, second = pod_of(space, "late", 0), pod_of(space, "late", 1)
    space.kubectl.run("patch", "pod", second, *ungate)

    def waits() -> bool:
        pod = space.kubectl.get("pod", second) or {}
        started = pod.get("status", {}).get("containerStatuses", [{}])[0].get("started")
        return bool(started) and "waiting for the first pod" in log(space, second)

    wait_for(waits, 180, "the second pod waits for the first", space.report)
    space.kubectl.run("patch", "pod", first, *ungate)
    succeeded(space, "late")
    assert "[rank0] here is 0 of 2" in log(space, first)
    assert "[rank1] here is 1 of 2" in log(space, second)


def test_a_torchrun_of_the_users_own_takes_its_options_from_the_variables(space: Space) -> None:
    succeeded(space, "pair")


def test_the_plain_example_runs_as_it_is_and_its_output_is_kept(space: Space) -> None:
    job = succeeded(space, "plain")
    assert job["status"]["output"]["files"] == 2
    assert "of the variance of held-out patients" in log(space, pod_of(space, "plain"))


def test_the_tensorflow_example_meets_its_workers_where_tf_config_says(space: Space) -> None:
    succeeded(space, "tf-config")
    assert "worker 1 met worker 0, worker 1" in log(space, pod_of(space, "tf-config", 1))


@pytest.mark.parametrize("name", USERS)
def test_a_script_of_any_user_has_its_output_stored_and_no_power_over_the_sidecar(
    space: Space, name: str
) -> None:
    assert succeeded(space, name)["status"]["output"]["files"] == 1
    (line,) = (line for line in log(space, pod_of(space, name)).splitlines() if "outcomes" in line)
    user, _ = USERS[name]
    assert json.loads(line[line.index("{") :]) == {"user": user, **OUTCOMES}


@pytest.mark.parametrize("name", ["cloned", "by-ssh"])
def test_a_source_is_cloned_with_its_credentials_and_its_commit_is_kept(
    space: Space, name: str
) -> None:
    job = succeeded(space, name)
    commit = log(space, "git", "git").splitlines()[0]
    assert job["status"]["sourceRevision"] == commit


def test_a_branch_that_is_not_there_fails_the_job_with_those_that_are(space: Space) -> None:
    failed = condition(space.wait_for_phase("branchless", "Failed"), "Failed")
    assert failed["reason"] == "SourceNotFound"
    assert "no branch or tag 'mian'; it has:" in failed["message"]


def test_a_private_repository_without_credentials_fails_the_job(space: Space) -> None:
    failed = condition(space.wait_for_phase("uninvited", "Failed"), "Failed")
    assert failed["reason"] == "AccessDenied"
    assert "source.git.credentialsSecretName" in failed["message"]


def test_an_archive_and_inputs_are_there_before_the_script_and_read_only(space: Space) -> None:
    made = succeeded(space, "make")["status"]["output"]["uri"]
    rows = {"name": "file", "uri": f"{made}/rows.csv"}
    archive = {"archive": {"uri": f"{made}/code.tar.gz", "path": "net"}}
    script = {"source": archive, "entrypoint": "read.py"}
    inputs = [
        {**rows, "sha256": DIGEST},
        {"name": "folder", "uri": f"{made}/set/"},
        {"name": "claim", "uri": "pvc://data/rows", "sha256": DIGEST},
    ]
    space.apply(
        plain("read", **script, inputs=inputs),
        plain("forged", **script, inputs=[{**rows, "sha256": "0" * 64}]),
        plain("absent", **script, inputs=[{**rows, "uri": f"{made}/none.csv"}]),
    )
    job = succeeded(space, "read")
    assert len(job["status"]["sourceRevision"]) == 64
    assert "input file: 0.0 of 0.0 MiB (100 %)" in log(space, pod_of(space, "read"), "input-file")


@pytest.mark.parametrize(
    ("name", "reason", "message"),
    [
        (
            "forged",
            "DigestMismatch",
            f"has the SHA-256 {hashlib.sha256(ROWS.encode()).hexdigest()}",
        ),
        ("absent", "InputNotFound", "There is nothing at s3://"),
    ],
)
def test_an_input_that_is_not_as_asked_for_fails_the_job(
    space: Space, name: str, reason: str, message: str
) -> None:
    failed = condition(space.wait_for_phase(name, "Failed"), "Failed")
    assert failed["reason"] == reason
    assert message in failed["message"]
