"""Reports about archives: what they are made of, and what goes wrong when they are made."""

import base64
import tempfile
from pathlib import Path

import httpx

from tests.cluster.support import API, SMALL, Space, address, condition, is_ready, phase
from tests.harness import Object
from tests.harness.waiting import wait_for
from tests.reports.case import (
    HANDLER,
    NAME,
    SMALL_PACKAGE,
    WRITES,
    Case,
    Look,
    NotPlayed,
    Sight,
    Stage,
    brief,
    config_map,
    ends,
    succeeds,
    training,
)
from tests.unit.runtime.wheels import make_wheel

IMPORTS = """
import outer
from slipway_runtime.handler import refusing


class Handler:
    def initialize(self, context):
        self.initialized = True

    @refusing(KeyError, TypeError)
    def handle(self, data, context):
        return [{"word": outer.WORD, "asked": row["body"]["word"]} for row in data]
"""
TYPO = {**SMALL_PACKAGE, "handler": "handlr.py"}
NO_WHEEL = {**SMALL_PACKAGE, "requirementsFile": "requirements.txt"}


def with_wheel(**more: object) -> tuple[Object, ...]:
    """Return a job whose handler imports a package, with a wheel of it in its source."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = make_wheel(Path(folder), "outer", "1.5")
        name, content = wheel.name, base64.b64encode(wheel.read_bytes()).decode()
    files = {
        "train.py": WRITES,
        "handler.py": IMPORTS,
        "requirements.txt": f"--no-index\n./{name}\n",
    }
    package = {**NO_WHEEL, "extraFiles": [name], **more}
    source = {**config_map(files), "binaryData": {name: content}}
    return (source, *training(package=package))


def served() -> Object:
    """Return a ModelDeployment of the case's job."""
    server = {"resources": {"requests": {"cpu": SMALL, "memory": "512Mi"}}}
    spec = {"model": {"trainingJob": {"name": NAME}}, "server": server}
    return {
        "apiVersion": API,
        "kind": "ModelDeployment",
        "metadata": {"name": NAME},
        "spec": spec,
    }


def answers(body: object, code: int, *words: str) -> Look:
    """Look whether the case's model is served and answers a request so."""

    def look(space: Space) -> Sight:
        found = space.deployment(NAME)
        if not is_ready(found):
            told = condition(found, "Ready")
            text = f"{told.get('reason')}: {told.get('message')}; {brief(space.job(NAME))}"
            return Sight(text, False, phase(space.job(NAME)) == "Failed")
        answer = httpx.post(f"{address(space, NAME)}/predict", json=body, timeout=30)
        right = answer.status_code == code and all(word in answer.text for word in words)
        return Sight(f"{answer.status_code} {answer.text}", right, True)

    return look


def mend_the_handler(stage: Stage) -> None:
    """Name the right handler once the packaging has failed."""
    space = stage.space
    wait_for(lambda: phase(space.job(NAME)) == "Failed", 240, "the packaging failed", space.report)
    package = {"package": {"handler": "handler.py"}}
    space.kubectl.patch("trainingjob", NAME, {"spec": package})
    begins = "the stored output is packaged again"
    wait_for(lambda: phase(space.job(NAME)) != "Failed", 60, begins, space.report)


CASES: tuple[Case | NotPlayed, ...] = (
    Case(
        "packaging serving F6 a requirements file",
        "installed once from its wheel: the served handler imports it, and no index is asked",
        (*with_wheel(), served()),
        answers({"word": "ahoy"}, 200, "1.5", "ahoy"),
        seconds=420,
    ),
    Case(
        "packaging serving F6 a requirements file at start",
        "TorchServe's own pip installs the same wheel from inside the archive",
        (*with_wheel(installRequirements="AtStart"), served()),
        answers({"word": "ahoy"}, 200, "1.5", "ahoy"),
        seconds=420,
    ),
    Case(
        "packaging a package that is nowhere",
        "PackagingFailed with pip's last lines",
        training(
            {
                "train.py": WRITES,
                "handler.py": HANDLER,
                "requirements.txt": "--no-index\nnowhere==1\n",
            },
            package=NO_WHEEL,
        ),
        ends("Failed", "PackagingFailed", "No matching distribution found for nowhere==1"),
    ),
    Case(
        "packaging an index that pods do not reach",
        "PackagingFailed, and the sentence names the network and the ways out",
        training(
            {
                "train.py": WRITES,
                "handler.py": HANDLER,
                "requirements.txt": "-i http://127.0.0.1:9/simple\nnowhere==1\n",
            },
            package=NO_WHEEL,
        ),
        ends("Failed", "PackagingFailed", "NetworkPolicies", "--index-url"),
        seconds=420,
    ),
    Case(
        "packaging a requirements file that would run code",
        "PackagingFailed, and the sentence names the line and the other way",
        training(
            {"train.py": WRITES, "handler.py": HANDLER, "requirements.txt": "-e .\n"},
            package=NO_WHEEL,
        ),
        ends("Failed", "PackagingFailed", "'-e .'", "AtStart"),
    ),
    Case(
        "newcomer F3 a typo in package.handler",
        "is mended after the training: the stored output is packaged without a new one",
        training({"train.py": WRITES, "handler.py": HANDLER}, package=TYPO),
        succeeds(lambda job: bool(job["status"].get("package"))),
        act=mend_the_handler,
        seconds=300,
    ),
    Case(
        "newcomer F4 a handler with a syntax error",
        "fails before the training, with the line and its text",
        training(
            {"train.py": WRITES, "handler.py": "prob = out.softmax(1\n"}, package=SMALL_PACKAGE
        ),
        ends(
            "Failed",
            "InvalidHandler",
            "line 1",
            "was never closed",
            holds=lambda job: "output" not in job["status"],
        ),
    ),
)
