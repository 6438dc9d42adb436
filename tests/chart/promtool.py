"""Prometheus' own judge of rules and queries."""

import subprocess

from dev import gotools


def promtool(*arguments: str) -> None:
    """Run promtool, and fail with what it says unless it finds all well."""
    gotools.ensure(["promtool"])
    command = [str(gotools.path("promtool")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
