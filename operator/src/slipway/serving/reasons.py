"""The condition types of a ModelDeployment and the reasons they carry; each one says what it means.

Reasons are constants for programs to compare; the conditions' messages are for people.
"""

MODEL_READY = "ModelReady"
"""True while the archive to be served is known and nothing is wrong with it."""
PROGRESSING = "Progressing"
"""True while pods of the wanted revision replace others, or are made for the first time."""
AVAILABLE = "Available"
"""True while at least one pod, of whatever revision, answers predictions."""
ANALYSIS_READY = "AnalysisReady"
"""False while an analysis of the rollout cannot be carried out as it is written; else absent."""
FOLLOWS_RELEASE = "FollowsRelease"
"""False while pods are not yet as the operator's present release makes them; else absent."""
READY = "Ready"
"""True while the wanted revision, and no other one, answers predictions: the summary."""

WAITING_FOR_TURN = "WaitingForTurn"
"""The operator was upgraded; as many other deployments as the chart's
``operator.maxConcurrentServerUpdates`` allows get new pods first."""
PINNED = "Pinned"
"""The operator was upgraded; ``spec.server.image`` keeps the pods until the spec is changed."""
FOLLOWING = "Following"
"""The operator was upgraded, and the deployment gets new pods."""

RESOLVED = "Resolved"
"""The archive to be served is known."""
KEEPING_PREVIOUS = "KeepingPrevious"
"""The TrainingJob is gone, or runs again, or failed when it did: what it made before is served."""
ROLLBACK_REQUESTED = "RollbackRequested"
"""``rollout.rollbackTo`` has an earlier revision's archive served instead of ``spec.model``."""
REVISION_NOT_FOUND = "RevisionNotFound"
"""``rollout.rollbackTo`` names a revision that the history does not have as promoted; what serves
goes on serving."""
WAITING_FOR_TRAINING_JOB = "WaitingForTrainingJob"
"""The TrainingJob has not packaged its model yet."""
TRAINING_JOB_NOT_FOUND = "TrainingJobNotFound"
"""There is no TrainingJob of the name in the namespace; it is served when there is."""
TRAINING_JOB_FAILED = "TrainingJobFailed"
"""The TrainingJob failed and made no package."""
PACKAGE_REJECTED = "PackageRejected"
"""The TrainingJob's package missed one of its ``package.gates``; the message has the figure."""
TRAINING_JOB_HAS_NO_PACKAGE = "TrainingJobHasNoPackage"
"""The TrainingJob has no ``spec.package``, so it never makes an archive."""
FORBIDDEN_URI = "ForbiddenUri"
"""The archive's URI lies in the store, but outside of what is the namespace's own there; the
message says where it may lie. It is not served."""

DIGEST_MISMATCH = "DigestMismatch"
"""What lies at the archive's URI has another SHA-256 than was asked for; it is not served."""
REJECTED = "Rejected"
"""The archive missed one of its TrainingJob's ``package.gates``, and says so itself; it is not
served, wherever it lies."""
MODEL_NOT_FOUND = "ModelNotFound"
"""Nothing lies at the archive's URI; looked for again."""
ACCESS_DENIED = "AccessDenied"
"""The store refuses the credentials, or the credentials may not read the archive."""
STORE_UNAVAILABLE = "StoreUnavailable"
"""The store does not answer; the pods try again until it does."""
INVALID_ARCHIVE = "InvalidArchive"
"""The archive has the right digest, but is no ``.mar`` that a server could load."""
KEY_NOT_FOUND = "KeyNotFound"
"""The Secret with the archive's key, or that key of it, is not there; looked for again."""
INVALID_KEY = "InvalidKey"
"""The archive's key is none of the kind that it has to be; the message says what to write."""
WRONG_KEY = "WrongKey"
"""The archive is encrypted by another key, or for another place; it is not served."""
ARCHIVE_CUT = "ArchiveCut"
"""The encrypted archive ends before its end; it is not served."""
ARCHIVE_CHANGED = "ArchiveChanged"
"""The encrypted archive is not as it was made: bytes were changed, moved or added, or it is not
encrypted; it is not served."""
VERIFICATION_REQUIRED = "VerificationRequired"
"""The namespace serves only signed models, and the spec lets an unsigned one pass. What serves
goes on serving."""
SIGNATURE_MISSING = "SignatureMissing"
"""The archive is not signed, and has to be; it is not served."""
UNKNOWN_SIGNER = "UnknownSigner"
"""The archive is signed by another key than those that may; it is not served."""
SIGNATURE_INVALID = "SignatureInvalid"
"""What lies beside the archive is not its signature, or was changed; it is not served."""
FETCH_FAILED = "FetchFailed"
"""The archive could not be brought to a pod for another reason; tried again."""
SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
"""A Secret that a container needs, or a key in it, is not there; the kubelet looks again."""
CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
"""A ConfigMap that a container needs, or a key in it, is not there; the kubelet looks again."""
MODEL_LOAD_FAILED = "ModelLoadFailed"
"""The server ended, or was ended since its workers did not come up; it is started again."""
SMOKE_TEST_FAILED = "SmokeTestFailed"
"""The model did not answer the smoke test's request as it should; it takes no user's request."""
SAMPLES_FAILED = "SamplesFailed"
"""The model did not answer the rows of its archive as it did when it was packaged; it takes no
user's request."""
DISK_FULL = "DiskFull"
"""The pods are evicted, as they write more than their volumes or their limits allow."""
OUT_OF_MEMORY = "OutOfMemory"
"""The server used more memory than its limit; it is started again."""
WORKER_DIED = "WorkerDied"
"""A worker of a server that served died, and is started again; the message says why."""
WORKER_BACK = "WorkerBack"
"""Event: a pod answers again after a worker died, or the server for want of memory; the message
says how long it was out."""

PROXY_FAILED = "ProxyFailed"
"""Envoy ended; it is started again."""
CONTAINER_FAILED = "ContainerFailed"
"""A container that ``spec.podTemplate`` adds ended with an error; the message names it."""
IMAGE_PULL_FAILED = "ImagePullFailed"
"""An image cannot be pulled; the kubelet tries again."""
CONTAINER_CANNOT_START = "ContainerCannotStart"
"""A container cannot be started for another reason; the kubelet tries again."""
UNSCHEDULABLE = "Unschedulable"
"""No node can take a pod; the scheduler tries again."""
INVALID_POD_TEMPLATE = "InvalidPodTemplate"
"""``spec.podTemplate`` would change what the operator needs as it is; the message says where. What
serves goes on serving."""
POD_TEMPLATE_FORBIDDEN = "PodTemplateForbidden"
"""``spec.podTemplate`` asks for more than the Pod Security Standard that the administrator lets it,
or for a service account's token without naming the account; the message says where. What serves
goes on serving."""
SECRET_FORBIDDEN = "SecretForbidden"  # noqa: S105 - a reason, not a secret
"""The spec names a Secret that has the operator's own credentials; the message says where. What
serves goes on serving."""
REVISION_REFUSED = "RevisionRefused"
"""The ConfigMap of an earlier revision is not what the operator wrote, so its pods are not made
again: somebody replaced it. An event alone; what runs goes on."""
PODS_REFUSED = "PodsRefused"
"""The API server refuses the pods, by an admission plugin, webhook or policy."""
QUOTA_EXCEEDED = "QuotaExceeded"
"""A ResourceQuota of the namespace leaves no room for the pods; the message names it. Ask for less,
delete what is not needed, or have the quota raised."""

ROLLING_OUT = "RollingOut"
"""Pods of the wanted revision are being made, and nothing is known to be wrong."""
ROLLOUT_COMPLETE = "RolloutComplete"
"""All pods are of the wanted revision."""
PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
"""No pod came up for ``spec.rollout.progressDeadlineSeconds``; it is tried on."""
WAITING_FOR_MODEL = "WaitingForModel"
"""There is no archive to roll out; what serves goes on serving."""

PODS_AVAILABLE = "PodsAvailable"
"""Pods answer predictions."""
NO_PODS_AVAILABLE = "NoPodsAvailable"
"""No pod answers predictions."""
SCALED_TO_ZERO = "ScaledToZero"
"""``spec.replicas`` is 0, so no pod answers predictions."""
SERVING = "Serving"
"""The wanted revision answers predictions."""

PAUSED = "Paused"
"""The rollout waits for a person: ``rollout.paused`` is set, or a pause has no duration."""
VERIFYING = "Verifying"
"""The wanted revision has taken over, and is judged before the one before goes."""
ANALYSIS_INCONCLUSIVE = "AnalysisInconclusive"
"""There is too little traffic to judge the wanted revision by; the rollout waits for more."""
FORBIDDEN_ADDRESS = "ForbiddenAddress"
"""An analysis names a Prometheus that the operator may not be sent to; the message says what to
write instead. The revision is not judged, so it does not take over."""
ANALYSIS_FAILED = "AnalysisFailed"
"""The wanted revision was rolled back, for its analysis failed."""
ABORTED = "Aborted"
"""The wanted revision was rolled back, for it was asked to be (``rollout.abort``)."""
TOOK_OVER = "TookOver"
"""Event: the wanted revision took over before its time, as no pod of the stable one was ready."""
ANALYSIS_PASSED = "AnalysisPassed"
"""Event: an analysis found the wanted revision good; the message has the figures."""
TRAFFIC_SHIFTED = "TrafficShifted"
"""Event: another share of the requests goes to the wanted revision."""

NOT_BELIEVED = frozenset(
    {
        WRONG_KEY,
        ARCHIVE_CUT,
        ARCHIVE_CHANGED,
        SIGNATURE_MISSING,
        UNKNOWN_SIGNER,
        SIGNATURE_INVALID,
    }
)
"""Problems of archives that are encrypted or signed otherwise than they should be."""
FATAL = NOT_BELIEVED | {
    DIGEST_MISMATCH,
    REJECTED,
    INVALID_ARCHIVE,
    SMOKE_TEST_FAILED,
    SAMPLES_FAILED,
}
"""Problems of a new revision's pods that no waiting mends: it is rolled back at once."""
REFUSED = NOT_BELIEVED | {
    DIGEST_MISMATCH,
    REJECTED,
    PACKAGE_REJECTED,
    VERIFICATION_REQUIRED,
    SAMPLES_FAILED,
}
"""Why an archive that is there is not served: it is not what was asked for, or not good enough."""

NOT_THERE = frozenset(
    {TRAINING_JOB_NOT_FOUND, KEY_NOT_FOUND, SECRET_NOT_FOUND, CONFIG_MAP_NOT_FOUND}
)
"""An object that the spec names is not there; their Warnings wait, for it may be on its way."""

ABOUT_THE_MODEL = NOT_BELIEVED | frozenset(
    {
        KEY_NOT_FOUND,
        INVALID_KEY,
        DIGEST_MISMATCH,
        REJECTED,
        MODEL_NOT_FOUND,
        ACCESS_DENIED,
        STORE_UNAVAILABLE,
        INVALID_ARCHIVE,
        FETCH_FAILED,
        SECRET_NOT_FOUND,
        CONFIG_MAP_NOT_FOUND,
        MODEL_LOAD_FAILED,
        SMOKE_TEST_FAILED,
        SAMPLES_FAILED,
        OUT_OF_MEMORY,
    }
)
"""Problems of pods that make ModelReady false."""

WARNINGS = ABOUT_THE_MODEL | {
    TRAINING_JOB_NOT_FOUND,
    TRAINING_JOB_FAILED,
    PACKAGE_REJECTED,
    TRAINING_JOB_HAS_NO_PACKAGE,
    FORBIDDEN_URI,
    VERIFICATION_REQUIRED,
    REVISION_NOT_FOUND,
    PROXY_FAILED,
    DISK_FULL,
    WORKER_DIED,
    CONTAINER_FAILED,
    IMAGE_PULL_FAILED,
    CONTAINER_CANNOT_START,
    UNSCHEDULABLE,
    INVALID_POD_TEMPLATE,
    POD_TEMPLATE_FORBIDDEN,
    SECRET_FORBIDDEN,
    PODS_REFUSED,
    QUOTA_EXCEEDED,
    PROGRESS_DEADLINE_EXCEEDED,
    FORBIDDEN_ADDRESS,
    ANALYSIS_FAILED,
    ANALYSIS_INCONCLUSIVE,
    ABORTED,
    NO_PODS_AVAILABLE,
    TOOK_OVER,
}
"""Reasons that a person should look at: their events are warnings."""
