"""The names, components, paths and ports that a TrainingJob's children agree on."""

from slipway.api import TrainingJob

STOPPED_CODE = 143
"""Exit code of a trainer container that was told to stop: 128 + SIGTERM."""

OWN_STOPPED_CODE = 243
"""Exit code of a trainer container whose program ended with 143 by its own doing: Kubernetes, which
judges by exit codes alone, must not take it for one that was told to stop."""


INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation with a pod's index in its Indexed Job."""

ATTEMPT = "slipway.dev/attempt"
"""Label with the number of the attempt that a Job and its pods belong to."""


TRAINER = "trainer"
"""Component of the training pods, and the name of the container with the user's script."""
AGENT = "agent"
"""Name of the sidecar that reports progress and stores the output."""
PACKAGER = "packager"
"""Component of the packaging pod, and the name of its container."""

BUILDER = "builder"
"""Name of the packaging pod's container that makes an archive with samples."""
ANSWERER = "answerer"
"""Name of the one in which that archive's own handler answers them."""

KEYS = "keys"
"""Component of the pod that starts only where the package's keys are there, and its container."""

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""The variable with a pod's index, named as the Job controller names it."""

SOURCE = "source"
"""Name of the init container that brings the source."""
INPUT = "input-"
"""Begin of the names of the init containers that bring inputs; the input's own name follows."""
SOURCE_SCRATCH = "fetch-tmp"
"""Volume in which the containers that bring something have their /tmp."""

SOURCE_DIR = "/slipway/source"
WORK_DIR = "/tmp/slipway-work"  # noqa: S108 - in an emptyDir of the pod
"""Where the launcher makes the folder that the script runs in; the source's is read-only."""
INPUTS_DIR = "/slipway/inputs"
OUTPUT_DIR = "/slipway/output"
RUN_DIR = "/slipway/run"
"""What the launcher and the script write, and the agent can only read."""
AGENT_DIR = "/slipway/agent"
"""What the agent hands out: the launcher and its sockets; the script cannot write there."""
AGENT_VOLUME = "slipway-agent"
"""Name of the volume behind it."""
SAVE_DIR = "/slipway/checkpoint/save"
"""Where the script writes checkpoints, and the agent reads them."""
RESTORE_DIR = "/slipway/checkpoint/restore"
"""Where the agent puts what is restored; the script cannot write there."""

CLAIMS_DIR = "/slipway/checkpoint/claims"
"""Where the agent finds the claim that checkpoints lie in, under its name."""

RENDEZVOUS_PORT = 29400
"""Port of the c10d rendezvous, torchrun's default."""
METRICS_PORT = 9400
"""Port of the agent's Prometheus metrics."""


def train_name(job: TrainingJob) -> str:
    """Return the name of the Indexed Job and of its headless Service."""
    return f"{job.metadata.name}-train"


def package_name(job: TrainingJob) -> str:
    """Return the name of the packaging Job."""
    return f"{job.metadata.name}-package"


def keys_name(job: TrainingJob) -> str:
    """Return the name of the Job that waits for the package's keys."""
    return f"{job.metadata.name}-keys"


def node_address(job: TrainingJob, index: str) -> str:
    """Return the stable DNS name of the pod with an index; localhost where there is one pod."""
    if job.spec.most_nodes == 1:
        return "localhost"
    service = train_name(job)
    return f"{service}-{index}.{service}.{job.metadata.namespace}.svc"
