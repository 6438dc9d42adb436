"""What the demo says at its end."""

from pathlib import Path

import pytest

from dev import demo, gotools
from dev.kubectl import Kubectl


def test_further_commands_find_the_cluster_the_programs_and_the_namespace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    demo.look_around(Kubectl(tmp_path / "kubeconfig", "elsewhere"))
    cluster, programs, command = capsys.readouterr().out.strip().splitlines()[1:]
    assert cluster.split() == ["export", f"KUBECONFIG={tmp_path / 'kubeconfig'}"]
    folders = programs.split()[1].removeprefix("PATH=").split(":")
    assert {str(gotools.path(program).parent) for program in ("kubectl", "helm")} < {*folders}
    assert folders[-1] == "$PATH", "what the user has is found too"
    assert command.split()[:4] == ["kubectl", "-n", "elsewhere", "get"]


def test_a_cluster_of_the_users_own_keeps_its_kubeconfig(
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo.look_around(Kubectl(None, "elsewhere"))
    assert "KUBECONFIG" not in capsys.readouterr().out
