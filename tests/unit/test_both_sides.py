"""What the operator and the programs in its pods must call by the same names.

Neither imports the other: they run in different images, and pods of an earlier release live on
under a new operator. A name that is added, dropped or changed on one side alone fails here.
"""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

import slipway
import slipway_handlers
import slipway_pods
import slipway_runtime
from slipway.api.serving.container import PROXY_PORTS
from slipway.api.serving.server import DEFAULT_BODY_BYTES
from slipway.api.training import package
from slipway.api.training.optimize import OptimizationStatus, Optimize
from slipway.api.training.package import Package
from slipway.api.training.samples import MAX_SAMPLES, Samples
from slipway.envoy import ProxyConfig, forms
from slipway.opened import KEYSET
from slipway.serving.children.pod import runtimes
from slipway.serving.children.pod.runtimes import PYTHON
from slipway.training import reasons
from slipway.training.children import names, packaging_job, samples, trust
from slipway.training.observed import first_failure
from slipway_handlers.formats import compiled
from slipway_pods.package import built_in, mar
from slipway_pods.package.optimize import choice, figures
from slipway_pods.package.samples import handed
from slipway_pods.serve import hooks
from slipway_pods.serve.samples import difference, rows, stored
from slipway_pods.trust import believed, packaged
from slipway_runtime import termination
from slipway_runtime.checkpoint import saving
from slipway_server import fields
from slipway_server.__main__ import _arguments
from tests.unit.serving.children.test_in_force import deployment, model

OPERATOR = Path(slipway.__file__).parent
RUNTIME = Path(slipway_runtime.__file__).parent
PODS = Path(slipway_pods.__file__).parent
HANDLERS = Path(slipway_handlers.__file__).parent
SERVER_HANDLERS = OPERATOR.parents[2] / "images/python/handlers"
VARIABLE = re.compile(r"SLIPWAY_[A-Z0-9_]*[A-Z0-9]")

TOLD = {
    "SLIPWAY_ARCHIVE",
    "SLIPWAY_ASSOCIATED_DATA",
    "SLIPWAY_DEATHS_PORT",
    "SLIPWAY_END_SIGNAL",
    "SLIPWAY_AGENT_DIR",
    "SLIPWAY_BACKEND",
    "SLIPWAY_CHECKPOINT_CREDENTIALS_DIR",
    "SLIPWAY_CHECKPOINT_DIR",
    "SLIPWAY_CHECKPOINT_INTERVAL_SECONDS",
    "SLIPWAY_CHECKPOINT_INTERVAL_STEPS",
    "SLIPWAY_CHECKPOINT_KEEP",
    "SLIPWAY_CHECKPOINT_OWN_SECRET",
    "SLIPWAY_CHECKPOINT_PATIENCE_SECONDS",
    "SLIPWAY_CHECKPOINT_RESUME",
    "SLIPWAY_CHECKPOINT_URI",
    "SLIPWAY_CLAIMS_DIR",
    "SLIPWAY_CONFIG",
    "SLIPWAY_CREDENTIALS_DIR",
    "SLIPWAY_DRAIN_ANSWER_SECONDS",
    "SLIPWAY_DRAIN_PATH",
    "SLIPWAY_DRAIN_SECONDS",
    "SLIPWAY_ENTRYPOINT",
    "SLIPWAY_FRAMEWORK",
    "SLIPWAY_GATES",
    "SLIPWAY_GATE_METRICS",
    "SLIPWAY_GRACE_SECONDS",
    "SLIPWAY_INPUT",
    "SLIPWAY_INPUTS_DIR",
    "SLIPWAY_INPUT_DIR",
    "SLIPWAY_JOB_UID",
    "SLIPWAY_LINEAGE",
    "SLIPWAY_LINEAGE_URI",
    "SLIPWAY_LOCAL_ADDR",
    "SLIPWAY_MAX_RESPONSE_BYTES",
    "SLIPWAY_MAX_RESTARTS",
    "SLIPWAY_METRICS_PORT",
    "SLIPWAY_MODEL",
    "SLIPWAY_MODULE",
    "SLIPWAY_MOST_NODES",
    "SLIPWAY_NODES",
    "SLIPWAY_NODE_ADDRESS",
    "SLIPWAY_OPTIMIZE",
    "SLIPWAY_OUTPUT_DIR",
    "SLIPWAY_OUTPUT_URI",
    "SLIPWAY_PACKAGE",
    "SLIPWAY_PACKAGE_CODE",
    "SLIPWAY_PACKAGE_FOLDER",
    "SLIPWAY_PACKAGE_URI",
    "SLIPWAY_PREDICT_PATH",
    "SLIPWAY_PROCESSES_PER_NODE",
    "SLIPWAY_RDZV_ENDPOINT",
    "SLIPWAY_RDZV_ID",
    "SLIPWAY_READY_PATH",
    "SLIPWAY_RESPONSE_SECONDS",
    "SLIPWAY_RESTORE_DIR",
    "SLIPWAY_ROOM",
    "SLIPWAY_RUN_DIR",
    "SLIPWAY_SAMPLES",
    "SLIPWAY_SERVER_PORT",
    "SLIPWAY_SMOKE_TEST",
    "SLIPWAY_SOURCE",
    "SLIPWAY_SOURCE_DIR",
    "SLIPWAY_STARTUP_SECONDS",
    "SLIPWAY_STOP",
    "SLIPWAY_STORE_ENDPOINT",
    "SLIPWAY_WORKERS",
    "SLIPWAY_WORK_DIR",
}
"""Variables by which the operator tells the runtime's programs what to do."""
FOR_SCRIPTS = {
    "SLIPWAY_ATTEMPT",
    "SLIPWAY_JOB_NAME",
    "SLIPWAY_JOB_NAMESPACE",
    "SLIPWAY_MODEL_DIR",
}
"""Variables that the operator sets for users' scripts, and servers of their own, alone."""
FOR_HANDLERS = {"SLIPWAY_ALLOW_PICKLED_MODELS"}
"""Variables that the operator sets for handlers, in archives and in the Python server."""
OF_THE_OPERATOR = {"SLIPWAY_EXPIRES"}
"""A key of the store's Secret that nobody but the operator reads; its settings have a prefix."""
OF_THE_RUNTIME = {
    "SLIPWAY_DRAIN_MIN_SECONDS",
    "SLIPWAY_ENVOY_ADMIN",
    "SLIPWAY_ENVOY_STAT_PREFIX",
    "SLIPWAY_GIT_KEY",
    "SLIPWAY_GIT_KNOWN_HOSTS",
    "SLIPWAY_HOOKS_PORT",
    "SLIPWAY_INFERENCE",
    "SLIPWAY_LOG_RECORDS",
    "SLIPWAY_MANAGEMENT",
    "SLIPWAY_RDZV_TIMEOUT_SECONDS",
    "SLIPWAY_TERMINATION_LOG",
}
"""Variables with a default that the operator leaves, and those of release 0.2.0's pods."""

LAUNCHER = ("launch", "commands", "run_settings", "working_folder")
"""The runtime's modules that say why a trainer container has ended."""
ENDED_WELL = {"Completed"}
NO_FAULT_OF_A_SPEC = {"InvalidSettings"}
"""Said where the operator and the launcher do not fit; told with the container's log."""


def nodes(*files: Path) -> Iterator[ast.AST]:
    for file in files:
        yield from ast.walk(ast.parse(file.read_text("utf-8")))


def variables(folder: Path) -> set[str]:
    """Return the names of variables that are whole strings in the code, docstrings left out."""
    texts = (node.value for node in nodes(*folder.rglob("*.py")) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and VARIABLE.fullmatch(text)}


def said_reasons() -> set[str]:
    """Return the constants that the launcher gives as reasons."""
    said: set[object] = set()
    for node in nodes(*(RUNTIME / "launcher" / f"{name}.py" for name in LAUNCHER)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "LaunchError":
            said |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "reason":
                    said |= {value.value} if isinstance(value, ast.Constant) else set()
    return {str(reason) for reason in said}


def test_the_operator_tells_its_pods_what_is_listed_and_nothing_else() -> None:
    assert variables(OPERATOR) == TOLD | FOR_SCRIPTS | FOR_HANDLERS | OF_THE_OPERATOR


def test_handlers_read_what_the_operator_tells_them() -> None:
    assert variables(HANDLERS) == variables(SERVER_HANDLERS) == FOR_HANDLERS


def test_the_runtime_reads_what_it_is_told_and_its_own_variables() -> None:
    assert variables(RUNTIME) | variables(PODS) == TOLD | OF_THE_RUNTIME


def test_both_sides_mean_the_same_by_an_exit_code() -> None:
    assert names.STOPPED_CODE == termination.EX_SIGTERM == saving.STOPPED
    assert names.OWN_STOPPED_CODE == termination.OWN_SIGTERM
    assert packaging_job.STORE_UNAVAILABLE_CODE == termination.EX_TEMPFAIL


def test_both_sides_mean_the_same_files_by_the_packagers_keys() -> None:
    assert (str(packaged.KEYSET), str(packaged.PRIVATE_KEY)) == (KEYSET, trust.PRIVATE_KEY)
    assert believed.SUFFIX == trust.SUFFIX
    beside = trust.documents("s3://place/lineage.json", {"hasProvenance": True})
    assert beside == {
        "provenanceUri": f"s3://place/{packaged.PROVENANCE}",
        "bomUri": f"s3://place/{packaged.BILL}",
    }


def test_both_sides_mean_the_same_places_and_bounds_of_samples() -> None:
    assert (str(handed.BUILT), str(handed.ANSWERS)) == (samples.BUILT, samples.ANSWERS)
    assert samples.MADE == handed.MADE
    assert MAX_SAMPLES == rows.MAX_ROWS
    assert (
        DEFAULT_BODY_BYTES == rows.MAX_BODY_BYTES == _arguments().get_default("max_request_bytes")
    )
    default = Samples(file="rows.jsonl").tolerance
    assert default == difference.TOLERANCE <= stored.MAX_TOLERANCE


def test_both_sides_know_the_same_forms_of_a_model() -> None:
    known = get_args(OptimizationStatus.model_fields["candidate"].annotation)
    assert known == (figures.FLOAT, *figures.CANDIDATES)
    default = Optimize()
    assert set(figures.CANDIDATES) - set(default.candidates) == figures.PROGRAMS
    for wanted in (default, Optimize(candidates=list(known[1:]))):
        assert choice.Wanted.of(wanted.to_wire()).candidates == tuple(wanted.candidates)
    assert f"[.]({'|'.join(end[1:] for end in built_in.EXPORTED)})$" in str(Package.model_config)


def test_both_sides_know_the_same_handlers_by_name() -> None:
    assert set(package.BUILT_IN_HANDLERS) == set(built_in.HANDLERS)
    assert set(package.TORCHSERVE_HANDLERS) == set(mar.TORCHSERVE_HANDLERS)
    assert not set(built_in.HANDLERS) & set(mar.TORCHSERVE_HANDLERS)


def test_handlers_and_the_python_server_look_for_machine_code_at_the_same_place() -> None:
    """The server's file needs torch, so it is read and not imported."""
    found = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in nodes(SERVER_HANDLERS / "ts/torch_handler/base_handler.py")
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    assert found["COMPILED"] == compiled.FOLDER


def test_both_sides_mean_the_same_by_a_reason() -> None:
    assert first_failure.STOPPED_REASON == termination.STOPPED_REASON
    known = {value for name, value in vars(reasons).items() if name.isupper()}
    said = said_reasons()
    assert {reasons.ENTRYPOINT_NOT_FOUND, reasons.SOURCE_NOT_FOUND} <= said
    assert said - ENDED_WELL - NO_FAULT_OF_A_SPEC <= known


@given(
    st.fixed_dictionaries(
        {"workers": st.integers(1, 64)},
        optional={
            "batchSize": st.integers(1, 4096),
            "maxBatchDelayMilliseconds": st.integers(0, 3_600_000),
            "responseTimeoutSeconds": st.integers(1, 3600),
            "startupTimeoutSeconds": st.integers(10, 86_400),
            "resources": st.just({"limits": {"nvidia.com/gpu": 2}}),
        },
    )
)
def test_the_python_server_takes_the_options_that_pods_give_it(server: dict[str, Any]) -> None:
    made = deployment(runtime="Python", **server)
    assert runtimes.of(made) is PYTHON
    options = _arguments().parse_args(PYTHON.process(made, model(None))["args"])
    assert (options.name, options.workers) == ("iris", server["workers"])
    assert options.batch_size == server.get("batchSize")
    assert options.startup_timeout == server.get("startupTimeoutSeconds")
    assert options.gpus == (2 if "resources" in server else 0)
    assert str(options.archive) == PYTHON.environment(made, model(None))["SLIPWAY_ARCHIVE"]


def test_both_servers_take_forms_of_as_many_parts() -> None:
    assert forms.MOST_PARTS == fields._MOST_FIELDS


def test_the_pods_own_ports_are_those_that_no_server_of_a_users_may_have() -> None:
    ports = {field.name: field.default for field in dataclasses.fields(ProxyConfig)}
    assert ports["drain_port"] == hooks.PORT
    assert {*PROXY_PORTS} == {value for name, value in ports.items() if name.endswith("_port")}
