"""The workflows of the repository's host, checked without it."""

import re
import subprocess

import yaml

from dev import gotools, paths

WORKFLOWS = sorted((paths.REPOSITORY / ".github" / "workflows").glob("*.yaml"))
PINNED = re.compile(r"^(\./|[\w.-]+/[\w./-]+@[0-9a-f]{40}$)")


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    gotools.ensure(["actionlint"])
    program = gotools.path("actionlint")
    done = subprocess.run([program, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert WORKFLOWS


def test_each_action_of_others_is_pinned_to_a_commit() -> None:
    for workflow in WORKFLOWS:
        uses = re.findall(r"uses: (\S+)", workflow.read_text())
        assert uses or workflow.name == "image.yaml"
        assert [action for action in uses if not PINNED.match(action)] == []


def test_no_workflow_may_write_unless_a_job_asks_for_it() -> None:
    for workflow in WORKFLOWS:
        permissions = yaml.safe_load(workflow.read_text())["permissions"]
        assert "write" not in permissions.values()
