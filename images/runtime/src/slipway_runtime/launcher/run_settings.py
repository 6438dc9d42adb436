"""What the operator tells a trainer container, and how its launcher says that it cannot go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.control import agent_dir

DEFAULT_GRACE_SECONDS = 30.0
"""Kubernetes' own terminationGracePeriodSeconds."""


class LaunchError(Exception):
    """The run cannot go on; ``reason`` is the constant for the termination message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def grace_seconds(env: Mapping[str, str]) -> float:
    """Return the time between SIGTERM and SIGKILL, in seconds."""
    try:
        return float(env["SLIPWAY_GRACE_SECONDS"])
    except (KeyError, ValueError):
        return DEFAULT_GRACE_SECONDS


@dataclass(frozen=True)
class Settings:
    """One field for each SLIPWAY_ variable.

    ``framework`` is ``torchrun`` or ``plain``. Of ``entrypoint`` and ``module`` one is set at most;
    where neither is, the launcher's arguments are a command. ``nodes`` is the size of the group, or
    the smallest one of an elastic group, which has up to ``most_nodes`` and forms anew at most
    ``max_restarts`` times after failures. ``node_address`` has ``{index}`` where a pod's index
    belongs. ``grace_seconds`` is the time between SIGTERM and SIGKILL. ``folder`` is where the
    program runs: a writable one with the source's entries, or without a source the image's WORKDIR.
    """

    framework: str
    entrypoint: str
    module: str
    source_dir: Path | None
    run_dir: Path
    agent_dir: Path
    nodes: int
    most_nodes: int
    max_restarts: int
    processes_per_node: str
    index: int
    rendezvous_endpoint: str
    rendezvous_id: str
    local_address: str
    node_address: str
    rendezvous_seconds: int
    grace_seconds: float
    folder: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings; raises LaunchError naming the variable that is missing or wrong."""
        source_dir = _folder(env.get("SLIPWAY_SOURCE_DIR"))
        try:
            fewest, _, most = env["SLIPWAY_NODES"].partition(":")
            return cls(
                framework=env.get("SLIPWAY_FRAMEWORK", "torchrun"),
                entrypoint=env.get("SLIPWAY_ENTRYPOINT", ""),
                module=env.get("SLIPWAY_MODULE", ""),
                source_dir=source_dir,
                run_dir=Path(env["SLIPWAY_RUN_DIR"]),
                agent_dir=agent_dir(env),
                nodes=int(fewest),
                most_nodes=int(most or fewest),
                max_restarts=int(env.get("SLIPWAY_MAX_RESTARTS", "0")),
                processes_per_node=env["SLIPWAY_PROCESSES_PER_NODE"],
                index=int(env.get("JOB_COMPLETION_INDEX", "0")),
                rendezvous_endpoint=env["SLIPWAY_RDZV_ENDPOINT"],
                rendezvous_id=env["SLIPWAY_RDZV_ID"],
                local_address=env["SLIPWAY_LOCAL_ADDR"],
                node_address=env.get("SLIPWAY_NODE_ADDRESS", "localhost"),
                rendezvous_seconds=int(env.get("SLIPWAY_RDZV_TIMEOUT_SECONDS", "900")),
                grace_seconds=grace_seconds(env),
                folder=Path(env["SLIPWAY_WORK_DIR"]) if source_dir else Path.cwd(),
            )
        except KeyError as error:
            raise LaunchError("InvalidSettings", f"The variable {error} is not set.") from error
        except ValueError as error:
            raise LaunchError(
                "InvalidSettings", f"A SLIPWAY_ variable is wrong: {error}"
            ) from error

    @property
    def elastic(self) -> bool:
        """Whether the size of the group may change while it trains."""
        return self.most_nodes > self.nodes

    @property
    def script(self) -> Path:
        """The entrypoint's path; an absolute one stands for itself."""
        return (self.source_dir or Path("/")) / self.entrypoint

    @property
    def is_command(self) -> bool:
        """Whether the launcher's arguments are the whole command."""
        return not (self.entrypoint or self.module)

    @property
    def uses_torchrun(self) -> bool:
        """Whether the launcher itself runs torchrun."""
        return self.framework == "torchrun" and not self.is_command

    @property
    def first_host(self) -> str:
        """The host name of the pod with index 0."""
        return self.rendezvous_endpoint.rsplit(":", 1)[0]


def _folder(path: str | None) -> Path | None:
    return Path(path) if path else None
