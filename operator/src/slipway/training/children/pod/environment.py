"""The variables by which the operator tells its containers what to do."""

import json
from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import escaped
from slipway.settings import Settings
from slipway.store import output_uri
from slipway.training.children import elastic, names
from slipway.training.children.names import INDEX
from slipway.training.children.pod import checkpoints, devices

SCRATCH = {"HOME": "/tmp", "TMPDIR": "/tmp"}  # noqa: S108 - an emptyDir of the pod
"""Where programs write what nobody needs later: the root file system is read-only."""


def pairs(variables: dict[str, str]) -> list[dict[str, Any]]:
    """Return plain variables as a container's ``env``."""
    return [{"name": name, "value": value} for name, value in variables.items()]


def package_code(job: TrainingJob) -> dict[str, str]:
    """Return what a pod checks before the training: the code of ``spec.package`` in the source.

    The operator does not: it would have to parse what an enemy wrote.
    """
    package = job.spec.package
    if package is None or job.spec.source is None:
        return {}
    code = {
        "handler": package.handler,
        "modelFile": package.model_file,
        "extraFiles": [name for name in package.extra_files if name.endswith(".py")],
        "evaluate": package.samples.evaluate if package.samples else None,
    }
    known = {name: value for name, value in code.items() if value}
    return {"SLIPWAY_PACKAGE_CODE": json.dumps(known, ensure_ascii=False)}


def _checked_here(job: TrainingJob) -> dict[str, str]:
    """Return the same for the launcher, where no container brings the source and checks it.

    ``$$`` stands for ``$``, of which the kubelet makes one.
    """
    variables = {} if job.spec.fetched_source else package_code(job)
    return {name: value.replace("$", "$$") for name, value in variables.items()}


def completion_index() -> dict[str, Any]:
    """Return the variable with the pod's index.

    The Job controller would add it too, but at the end of the list, and ``$(NAME)`` sees only what
    stands before it.
    """
    path = f"metadata.labels['{INDEX}']"
    return {
        "name": names.INDEX_VARIABLE,
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}},
    }


def identity(job: TrainingJob) -> dict[str, str]:
    """Return whose pod it is."""
    return {
        "SLIPWAY_JOB_NAME": job.metadata.name,
        "SLIPWAY_JOB_NAMESPACE": job.metadata.namespace,
    }


def source_dir(job: TrainingJob) -> str:
    """Return where the training container finds the source; empty where there is none."""
    if job.spec.source is None:
        return ""
    if image := job.spec.source_image:
        return image.path
    fetched = job.spec.fetched_source
    inside = fetched.path if fetched else None
    return f"{names.SOURCE_DIR}/{inside.rstrip('/')}" if inside else names.SOURCE_DIR


def trainer_env(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the training container's variables: the launcher's, then the user's in their order.

    A variable of the user's replaces ours of that name, as the API server wants each name once.
    """
    own = [completion_index(), *pairs({**SCRATCH, **identity(job), **_launch(job)})]
    user = [variable.to_wire() for variable in job.spec.env]
    taken = {variable["name"] for variable in user}
    return [variable for variable in own if variable["name"] not in taken] + user


def _gated(job: TrainingJob) -> dict[str, str]:
    """Return which metrics a report keeps where it has too many: those that gates judge."""
    gated = job.spec.package.gated if job.spec.package else ()
    text = escaped(json.dumps(gated, ensure_ascii=False))
    return {"SLIPWAY_GATE_METRICS": text} if gated else {}


def _launch(job: TrainingJob) -> dict[str, str]:
    stop = job.spec.stop
    return {
        **_program(job),
        **_checked_here(job),
        "SLIPWAY_OUTPUT_DIR": names.OUTPUT_DIR,
        **({"SLIPWAY_INPUTS_DIR": names.INPUTS_DIR} if job.spec.inputs else {}),
        "SLIPWAY_RUN_DIR": names.RUN_DIR,
        "SLIPWAY_AGENT_DIR": names.AGENT_DIR,
        **elastic.launch(job),
        "SLIPWAY_PROCESSES_PER_NODE": devices.processes_per_node(job.spec),
        "SLIPWAY_RDZV_ENDPOINT": f"{names.node_address(job, '0')}:{names.RENDEZVOUS_PORT}",
        "SLIPWAY_RDZV_ID": f"{job.metadata.uid}-{job.status.attempt}",
        "SLIPWAY_ATTEMPT": str(job.status.attempt),
        "SLIPWAY_LOCAL_ADDR": names.node_address(job, f"$({names.INDEX_VARIABLE})"),
        "SLIPWAY_BACKEND": devices.backend(job.spec),
        **({"SLIPWAY_STOP": json.dumps(stop.to_wire())} if stop else {}),
        **_gated(job),
        "SLIPWAY_GRACE_SECONDS": str(checkpoints.grace_seconds(job)),
        **checkpoints.trainer_variables(job),
    }


def _program(job: TrainingJob) -> dict[str, str]:
    """Return what to run and where it lies; a command comes as the container's arguments."""
    plain = job.spec.framework == "plain"
    variables = {
        "SLIPWAY_FRAMEWORK": job.spec.framework if plain else "",
        "SLIPWAY_NODE_ADDRESS": names.node_address(job, "{index}") if plain else "",
        "SLIPWAY_ENTRYPOINT": job.spec.entrypoint or "",
        "SLIPWAY_MODULE": job.spec.module or "",
        "SLIPWAY_SOURCE_DIR": source_dir(job),
        "SLIPWAY_WORK_DIR": names.WORK_DIR if job.spec.source else "",
    }
    return {name: value for name, value in variables.items() if value}


def agent_env(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the sidecar's variables; the store's credentials come from its Secret."""
    variables = {
        **SCRATCH,
        **identity(job),
        "SLIPWAY_RUN_DIR": names.RUN_DIR,
        "SLIPWAY_AGENT_DIR": names.AGENT_DIR,
        **({} if job.spec.fetched_source else package_code(job)),
        "SLIPWAY_OUTPUT_DIR": names.OUTPUT_DIR,
        "SLIPWAY_OUTPUT_URI": output_uri(settings.store, job),
        "SLIPWAY_METRICS_PORT": str(names.METRICS_PORT),
        **_gated(job),
        **checkpoints.agent_variables(job, settings),
    }
    return [completion_index(), *pairs(variables)]
