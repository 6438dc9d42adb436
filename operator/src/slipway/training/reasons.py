"""The condition types of a TrainingJob and the reasons they carry; each one says what it means.

Reasons are constants for programs to compare; the conditions' messages are for people.
"""

CREATED = "Created"
"""True once the job's children are there."""
QUEUED = "Queued"
"""True while the job waits to run: for what it needs, in its queue, for nodes, for its pods to
start. Its reason is what it waits for."""
RUNNING = "Running"
"""True while all pods of the group have started and none has failed."""
RESTARTING = "Restarting"
"""True from the decision to restart the whole group until all its pods run again; its reason is
why. Absent before the first restart. As a reason: a pod has failed or was lost, and the group, or
under ``restart.policy`` Pod the pod, starts again."""
SUSPENDED = "Suspended"
"""True while ``spec.suspend`` is in effect, so that no pod runs."""
PROGRESS_UNKNOWN = "ProgressUnknown"
"""True while the pod that reports the progress does not answer the operator, for a minute or more.
It is never ended for that. Absent before the first time."""
PACKAGE_FILES_MISSING = "PackageFilesMissing"
"""True while ``spec.package`` names code that the source's ConfigMap lacks, so that the packaging
fails unless the script writes it. Absent where nothing was ever missing."""
PACKAGED = "Packaged"
"""True once the archive is in the store; absent where ``spec.package`` is, or before the end of
the training."""
SUCCEEDED = "Succeeded"
"""True at the end of a job that went well, packaging included; absent before."""
FAILED = "Failed"
"""True at the end of a job that did not; absent before."""
ARTIFACTS_REMOVED = "ArtifactsRemoved"
"""True once what ``retention`` or ``package.retention`` bounds is gone from the store; False while
it waits, with the reason. Absent while nothing is due."""

CHILDREN_CREATED = "ChildrenCreated"
"""The Job, and while it trains the headless Service of a group, are there."""
SOURCE_NOT_FOUND = "SourceNotFound"
"""The ConfigMap that ``spec.source.configMap`` names is not there; looked for again. Or there is
nothing at the URL of another source, or no such branch, tag or commit; that is final."""
WAITING_FOR_TRAINING_JOB = "WaitingForTrainingJob"
"""The TrainingJob that one of ``spec.inputs`` names has not made its archive yet."""
TRAINING_JOB_NOT_FOUND = "TrainingJobNotFound"
"""There is no TrainingJob of the name that one of ``spec.inputs`` has; looked for again."""
TRAINING_JOB_HAS_NO_PACKAGE = "TrainingJobHasNoPackage"
"""The TrainingJob that one of ``spec.inputs`` names has no ``spec.package``, which may be added."""
MODEL_VERSION_NOT_FOUND = "ModelVersionNotFound"
"""That TrainingJob has ended without an archive of the ``modelVersion``, and may yet make one."""
TRAINING_JOB_FAILED = "TrainingJobFailed"
"""The TrainingJob that one of ``spec.inputs`` names failed, and made no such archive: final."""
PACKAGE_REJECTED = "PackageRejected"
"""That TrainingJob's archive missed one of its ``package.gates``: final."""
INPUT_CIRCLE = "InputCircle"
"""TrainingJobs wait for each other by their inputs; the message tells the way round. A job that
names itself ends with it."""
INPUTS_CHOSEN = "InputsChosen"
"""Which archives of other jobs the inputs are is decided, and kept in ``status.inputs``."""
CHECKING_KEYS = "CheckingKeys"
"""The keys that ``package.sign`` and ``package.encrypt`` name are looked for before the training
starts."""
ENTRYPOINT_NOT_FOUND = "EntrypointNotFound"
"""``spec.entrypoint`` is not among the source's files. Before the start the operator waits for it;
from a pod, where the source is in the image, it is final."""
INVALID_POD_TEMPLATE = "InvalidPodTemplate"
"""``spec.podTemplate`` would change what the operator needs as it is; the message says where."""
FORBIDDEN_URI = "ForbiddenUri"
"""A URI of the spec lies in the store, but outside of what is the namespace's own there; the
message says where it may lie."""
POD_TEMPLATE_FORBIDDEN = "PodTemplateForbidden"
"""``spec.podTemplate`` asks for more than the Pod Security Standard that the administrator lets it,
or for a service account's token without naming the account; the message says where."""
SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105 - a reason, not a secret
"""The spec names a Secret that has the operator's own credentials; the message says where."""
STORE_UNAVAILABLE = "StoreUnavailable"
"""The artifact store does not answer; tried again until it does. A training that runs goes on, and
its output waits for the store."""

WAITING_FOR_PODS = "WaitingForPods"
"""Not all pods have started yet, and nothing is known to be wrong."""
ALL_PODS_RUNNING = "AllPodsRunning"
"""All pods of the group have started."""
WAITING_FOR_ADMISSION = "WaitingForAdmission"
"""The queue ``spec.queueName`` has not admitted the job yet, or has taken its place back."""
GANG_KIND_NOT_FOUND = "GangKindNotFound"
"""The cluster lacks the kind that ``spec.gang`` needs; looked for again."""
RESTARTED = "Restarted"
"""The group was restarted, and runs."""
RECREATING = "Recreating"
"""The Job was deleted by somebody else; a new one follows when it is gone."""
COMPLETED = "Completed"
"""The training script ended well in every pod."""
RUN_FAILED = "RunFailed"
"""The training has failed; the condition Failed says why."""
POD_DOES_NOT_ANSWER = "PodDoesNotAnswer"
"""The operator's questions to a pod's port 9400 fail; the message says how, and the way out."""
POD_ANSWERS = "PodAnswers"
"""The pod answers again."""
NOT_ASKED = "NotAsked"
"""No pod runs that could be asked."""
FILE_NOT_IN_SOURCE = "FileNotInSource"
"""The source's ConfigMap has no such key; the message names the file and the keys there are."""
FILES_FOUND = "FilesFound"
"""The source's ConfigMap has the files now, or they are not asked for any more."""
SUSPENDED_BY_SPEC = "SuspendedBySpec"
"""``spec.suspend`` is true."""
RESUMED = "Resumed"
"""The job was suspended, and is not any more."""

FETCHING = "Fetching"
"""A pod fetches its source or its inputs; how far it is stands in that container's log."""
INPUT_NOT_FOUND = "InputNotFound"
"""There is nothing at the URI of one of ``spec.inputs``."""
SERVER_UNAVAILABLE = "ServerUnavailable"
"""The server of a source or an input did not answer for ten minutes."""
ACCESS_DENIED = "AccessDenied"
"""The server of a source or an input refuses the credentials, or asks for some."""
DIGEST_MISMATCH = "DigestMismatch"
"""A source or an input has another digest than the spec says; the script did not start."""
INVALID_ARCHIVE = "InvalidArchive"
"""The archive with the source, or that of an input, cannot be unpacked."""
KEY_NOT_FOUND = "KeyNotFound"
"""The Secret with the key of an encrypted input, or the key in it, is not there."""
INVALID_KEY = "InvalidKey"
"""What is in that Secret is no keyset that decrypts archives."""
WRONG_KEY = "WrongKey"
"""No key of that Secret's decrypts the input."""
ARCHIVE_CUT = "ArchiveCut"
"""An encrypted input ends too early."""
ARCHIVE_CHANGED = "ArchiveChanged"
"""An encrypted input was changed, or is not encrypted."""
DISK_FULL = "DiskFull"
"""There is no space for a source or an input on the node, or within the pod's limit; or the pod
was evicted as it wrote more than its volumes or its limits allow. It is no disruption."""
FETCH_FAILED = "FetchFailed"
"""A source or an input could not be fetched for another reason; the message says which."""
SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
"""A Secret that a container needs, or a key in it, is not there; the kubelet looks again."""
CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
"""A ConfigMap that a container needs, or a key in it, is not there; the kubelet looks again."""
IMAGE_PULL_FAILED = "ImagePullFailed"
"""An image cannot be pulled; the kubelet tries again."""
CONTAINER_CANNOT_START = "ContainerCannotStart"
"""A container cannot be started for another reason; the kubelet tries again."""
UNSCHEDULABLE = "Unschedulable"
"""No node can take a pod; the scheduler tries again."""
PODS_REFUSED = "PodsRefused"
"""The API server refuses the pods, by an admission plugin, webhook or policy; the message is its
own. Tried again, and the clock of ``spec.activeDeadlineSeconds`` stands until the first pod is
made."""
QUOTA_EXCEEDED = "QuotaExceeded"
"""The same by a ResourceQuota of the namespace, which leaves no room for the pods; the message
names it. Ask for less, delete what is not needed, or have the quota raised."""

SCRIPT_FAILED = "ScriptFailed"
"""The training script ended with an error or was killed by a signal."""
CONTAINER_FAILED = "ContainerFailed"
"""Another container of a pod than the script's, such as one that ``spec.podTemplate`` adds, ended
with an error, and with it the pod; the message names it."""
CONTAINER_RUNS_ON = "ContainerRunsOn"
"""The script has ended well, but another container of its pod runs on, so that the pod does not
end; the message names it."""
OUT_OF_MEMORY = "OutOfMemory"
"""A container used more memory than its limit."""
RENDEZVOUS_FAILED = "RendezvousFailed"
"""The pods did not find each other."""
LAUNCHER_FAILED = "LauncherFailed"
"""torchrun could not be started, or ended without a word of the script."""
INVALID_HANDLER = "InvalidHandler"
"""``package.handler`` is in the source and cannot be served; told before the training."""
INVALID_MODEL_FILE = "InvalidModelFile"
"""``package.modelFile`` is in the source and cannot be loaded; told before the training."""
INVALID_EXTRA_FILE = "InvalidExtraFile"
"""A Python file of ``package.extraFiles`` is in the source and has a syntax error; told before the
training."""
INVALID_EVALUATE = "InvalidEvaluate"
"""The file of ``package.samples.evaluate`` is in the source and has a syntax error, or lacks the
function; told before the training."""
COMMAND_NOT_FOUND = "CommandNotFound"
"""The program that ``spec.command`` begins with is not there, or not on the image's PATH."""
COMMAND_NOT_EXECUTABLE = "CommandNotExecutable"
"""The file that ``spec.command`` begins with is there, but is no program that can be started."""
TORCH_NOT_FOUND = "TorchNotFound"
"""The image has no PyTorch for its ``python3``."""
OUTPUT_UPLOAD_FAILED = "OutputUploadFailed"
"""The store refused the output, or the output could not be read."""
CHECKPOINT_FAILED = "CheckpointFailed"
"""The store refused a checkpoint or was away too long; the checkpoints before it are kept."""
POD_LOST = "PodLost"
"""A pod was evicted, or lost with its node, or told to stop by somebody else. An exit code alone,
143 for instance, does not say so."""
DEADLINE_EXCEEDED = "DeadlineExceeded"
"""The training ran longer than ``spec.activeDeadlineSeconds``."""
QUEUE_DEADLINE_EXCEEDED = "QueueDeadlineExceeded"
"""The job waited longer than ``spec.queueDeadlineSeconds`` for its pods to run."""
PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
"""The script ran for ``spec.progressDeadlineSeconds`` without reporting progress."""
JOB_FAILED = "JobFailed"
"""The Job failed and no pod is left to say why."""

INVALID_CODE = frozenset(
    {INVALID_HANDLER, INVALID_MODEL_FILE, INVALID_EXTRA_FILE, INVALID_EVALUATE}
)
"""Reasons of which no other attempt can rid a job."""

PACKAGING = "Packaging"
"""The archive is being made."""
PACKAGE_STORED = "PackageStored"
"""The archive and the record of its origin are in the store."""
REJECTED = "Rejected"
"""The archive missed one of ``package.gates``; the message has the figure. It is stored, and no
ModelDeployment serves it."""
PACKAGING_FAILED = "PackagingFailed"
"""The archive could not be made; the training's output stays in the store."""
PACKAGING_DEADLINE_EXCEEDED = "PackagingDeadlineExceeded"
"""The packaging took longer than a day, beside ``timeoutSeconds`` of ``package.samples`` and
``package.optimize``: it hung, or the store was away for as long. The training's output stays in the
store; the message has the last word on it, and how to package it again."""

NOT_THERE = frozenset(
    {TRAINING_JOB_NOT_FOUND, SOURCE_NOT_FOUND, SECRET_NOT_FOUND, CONFIG_MAP_NOT_FOUND}
)
"""An object that the spec names is not there; their Warnings wait, for it may be on its way."""

PROBLEMS = frozenset(
    {
        STORE_UNAVAILABLE,
        SOURCE_NOT_FOUND,
        ENTRYPOINT_NOT_FOUND,
        SECRET_NOT_FOUND,
        CONFIG_MAP_NOT_FOUND,
        IMAGE_PULL_FAILED,
        CONTAINER_CANNOT_START,
        UNSCHEDULABLE,
        PODS_REFUSED,
        QUOTA_EXCEEDED,
        CONTAINER_RUNS_ON,
        GANG_KIND_NOT_FOUND,
        POD_DOES_NOT_ANSWER,
        FILE_NOT_IN_SOURCE,
        TRAINING_JOB_NOT_FOUND,
        TRAINING_JOB_HAS_NO_PACKAGE,
        MODEL_VERSION_NOT_FOUND,
        INPUT_CIRCLE,
        RESTARTING,
        PACKAGING_FAILED,
        REJECTED,
    }
)
"""Reasons that a person should look at though the job is not lost: their events are warnings."""

REMOVED = "Removed"
"""The time of some of what the job stored was over, and it is gone; the message says what."""
REMOVING = "Removing"
"""Some of what the job stored is about to be removed: its time is over and nothing names it."""
IN_USE = "InUse"
"""Something whose time is over is kept, since another object names it; the message says which."""
STORE_REFUSES = "StoreRefuses"
"""The store does not let the operator remove anything; tried again every few hours."""
