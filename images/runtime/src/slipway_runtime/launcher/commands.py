"""What a trainer container runs: torchrun with the script or module, or a plain command.

Where torchrun is left out, the command gets the variables by which programs of its kind find each
other: torchrun's own and ``env://``'s for PyTorch, ``TF_CONFIG`` for TensorFlow.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway_runtime.launcher.run_settings import LaunchError, Settings
from slipway_runtime.termination import join_names, list_files

LIBRARY = Path(__file__).resolve().parents[2]
"""The folder that holds the package this file belongs to."""
MASTER_PORT = 29500
"""Port of torch.distributed's ``env://`` store, torch's default; the rendezvous has its own."""
LAST_CALL_SECONDS = 10
"""How long an elastic group that is large enough waits for more pods before it forms."""
SHUTDOWN_RESERVE_SECONDS = 5
"""Part of the pod's grace period in which torchrun and the launcher end after the ranks."""
TENSORFLOW_PORT = 2222
"""Port of TensorFlow's workers, as Kubeflow's TFJob has it."""
COUNT_DEVICES = "import torch; print(torch.cuda.device_count())"


def check(settings: Settings, args: Sequence[str]) -> None:
    """Raise LaunchError where what should run is missing, in a sentence that helps."""
    if settings.is_command:
        _check_command(settings, args[0] if args else "")
    elif settings.module:
        _check_module(settings)
    elif not settings.script.is_file():
        what = f"The entrypoint {settings.entrypoint!r} is not in"
        _say_missing(settings, what, "Write one of them in spec.entrypoint, with its folder.")
    if settings.uses_torchrun and importlib.util.find_spec("torch") is None:
        raise LaunchError(
            "TorchNotFound",
            f"The image has no torch for {sys.executable}: set spec.image to one whose python3 "
            "has PyTorch, or leave it out.",
        )


def _check_command(settings: Settings, name: str) -> None:
    """Look for the command as the kernel will: a name on the PATH, a path from the folder."""
    if "/" not in name:
        if shutil.which(name) is None:
            raise LaunchError(
                "CommandNotFound",
                f"The command {name!r} is in none of the folders of the image's PATH: write its "
                f"path in spec.command, such as './{name}' for a file of the source.",
            )
        return
    path = settings.folder / name
    if not path.is_file():
        raise LaunchError(
            "CommandNotFound",
            f"The command {name!r} is not there: {path} is no file. A path that does not begin "
            f"with '/' starts in the source's folder; the files there: "
            f"{list_files(settings.source_dir or settings.folder)}.",
        )
    if not os.access(path, os.X_OK):
        raise LaunchError(
            "CommandNotExecutable",
            f"The command {name!r} is there, but {path} is not executable; a ConfigMap's files "
            f"never are. Write what runs it before it, such as command: ['sh', '{name}'].",
        )


def _check_module(settings: Settings) -> None:
    """Look for the module as python will: in the source, then among what is installed."""
    parts = settings.module.split(".")
    if settings.source_dir:
        base = settings.source_dir.joinpath(*parts)
        if base.with_name(f"{base.name}.py").is_file() or base.is_dir():
            return
    try:
        found = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError):
        found = None
    if found is None:
        what = f"The module {settings.module} is not installed, nor in"
        how = "Write spec.module as python -m takes it: train for train.py, a.b for a/b.py."
        _say_missing(settings, what, how)


def _say_missing(settings: Settings, what: str, how: str) -> None:
    """Raise LaunchError with the files there are and, where there are some, what to write."""
    folder = settings.source_dir
    if folder is None:
        raise LaunchError("EntrypointNotFound", f"{what} any source.")
    files = list_files(folder)
    help_ = f" {how}" if files != join_names([]) else ""
    raise LaunchError("EntrypointNotFound", f"{what} {folder}; the files there: {files}.{help_}")


def command(settings: Settings, log_dir: Path, args: Sequence[str]) -> list[str]:
    """Return the command line that trains on this pod."""
    if settings.uses_torchrun:
        return torchrun_command(settings, log_dir, args)
    watched = [
        *(sys.executable, "-m", "slipway_runtime.launcher.plain"),
        *(str(log_dir), str(settings.index), str(settings.folder)),
    ]
    if settings.is_command:
        return [*watched, *args]
    program = ["-m", settings.module] if settings.module else [str(settings.script)]
    return [*watched, sys.executable, *program, *args]


def torchrun_command(settings: Settings, log_dir: Path, args: Sequence[str]) -> list[str]:
    """Return torchrun's command line, with a c10d rendezvous at index 0.

    Ranks follow the order of the addresses, and ``NAME-0`` sorts first, so index 0 has rank 0. What
    comes after ``--`` is the user's: torchrun would take a ``--r`` among it for a short form of an
    option of its own.
    """
    return [
        sys.executable,
        "-m",
        "slipway_runtime.launcher.torchrun",
        str(log_dir / "failure.json"),
        str(settings.folder),
        str(shutdown_seconds(settings)),
        f"--nnodes={group_size(settings)}",
        f"--nproc-per-node={processes_per_node(settings)}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={settings.rendezvous_endpoint}",
        f"--rdzv-id={settings.rendezvous_id}",
        f"--rdzv-conf={rendezvous_options(settings)}",
        f"--local-addr={settings.local_address}",
        f"--max-restarts={settings.max_restarts}",
        "--tee=3",
        f"--log-dir={log_dir}",
        *(["-m"] if settings.module else []),
        "--",
        settings.module or str(settings.script),
        *args,
    ]


def shutdown_seconds(settings: Settings) -> int:
    """Return how long ranks have to end after SIGTERM: the pod's grace period but for its end."""
    return max(1, int(settings.grace_seconds - SHUTDOWN_RESERVE_SECONDS))


def rendezvous_options(settings: Settings) -> str:
    """Return torchrun's rendezvous options.

    Both timeouts are long, since the pods of one job may start minutes apart: a worker that is
    there before index 0 waits for it. An elastic group that is large enough waits a short time for
    more pods whenever it forms.
    """
    timeout = settings.rendezvous_seconds
    host = "true" if settings.index == 0 else "false"
    options = f"is_host={host},join_timeout={timeout},read_timeout={timeout}"
    return f"{options},last_call_timeout={LAST_CALL_SECONDS}" if settings.elastic else options


def group_size(settings: Settings) -> str:
    """Return torchrun's ``--nnodes``: a number, or ``MIN:MAX`` of an elastic group."""
    return f"{settings.nodes}:{settings.most_nodes}" if settings.elastic else str(settings.nodes)


def processes_per_node(settings: Settings) -> int:
    """Return the number of processes; for ``auto``, one a GPU that torch sees, at least one.

    The operator says ``auto`` where it cannot tell: claimed devices have no count in the spec.
    """
    if settings.processes_per_node != "auto":
        return int(settings.processes_per_node)
    argv = [sys.executable, "-c", COUNT_DEVICES]
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    return max(1, int(told)) if told.isdecimal() else 1


def environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of what runs: the container's, the helper's path, and its peers.

    ``USER`` is for libraries that want the user's name: the image may not know the pod's user. The
    agents of an elastic group share no store: torch tells its address in the first round only
    (DynamicRendezvousHandler.next_rendezvous), and pods that come later would wait for it for ever.
    """
    ours = {"USER": "slipway", "TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE": "[rank${rank}] "}
    if settings.elastic:
        ours.update(TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")
    source = settings.source_dir if settings.module else None
    path = (env.get("PYTHONPATH"), source and str(source), str(LIBRARY))
    merged = {**ours, **env, "PYTHONPATH": os.pathsep.join(part for part in path if part)}
    if settings.framework == "plain":
        return {**merged, "TF_CONFIG": tensorflow_config(settings)}
    return merged if settings.uses_torchrun else {**merged, **torch_variables(settings)}


def tensorflow_config(settings: Settings) -> str:
    """Return ``TF_CONFIG``: all pods are workers, the one with index 0 is their chief by rule.

    Source: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG
    """
    hosts = [settings.node_address.format(index=index) for index in range(settings.nodes)]
    workers = [f"{host}:{TENSORFLOW_PORT}" for host in hosts]
    task = {"type": "worker", "index": settings.index}
    return json.dumps({"cluster": {"worker": workers}, "task": task})


def torch_variables(settings: Settings) -> dict[str, str]:
    """Return what lets ``torchrun SCRIPT`` in a command join the group without an option.

    torchrun takes each option from ``PET_`` and its name. Where each pod has one process, a script
    that is started without torchrun finds ``env://`` filled in, too.
    Source: https://docs.pytorch.org/docs/stable/elastic/run.html
    """
    processes = processes_per_node(settings)
    variables = {
        "PET_NNODES": str(settings.nodes),
        "PET_NPROC_PER_NODE": str(processes),
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": settings.rendezvous_endpoint,
        "PET_RDZV_ID": settings.rendezvous_id,
        "PET_RDZV_CONF": rendezvous_options(settings),
        "PET_LOCAL_ADDR": settings.local_address,
        "PET_NODE_RANK": str(settings.index),
        "NODE_RANK": str(settings.index),
        "MASTER_ADDR": settings.first_host,
        "MASTER_PORT": str(MASTER_PORT),
    }
    single = {"RANK": str(settings.index), "WORLD_SIZE": str(settings.nodes), "LOCAL_RANK": "0"}
    return {**variables, **single} if processes == 1 else variables
