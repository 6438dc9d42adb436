"""The condition ProgressUnknown: true while index 0's pod does not answer the operator.

It ends nothing: only what a pod answers can say that its script hangs.
"""

from slipway.api import find
from slipway.training import reasons
from slipway.training.children import names
from slipway.training.outcome import Finding
from slipway.training.snapshot import TrainingSnapshot

TELL_SECONDS = 60.0
"""How long a pod's questions must fail before a person is told."""


def progress_unknown(snapshot: TrainingSnapshot, findings: dict[str, Finding]) -> Finding | None:
    """Return the condition that follows from the others found now; None before any silence."""
    before = find(snapshot.job.status.conditions, reasons.PROGRESS_UNKNOWN)
    running, silence = findings.get(reasons.RUNNING), snapshot.silence
    runs = running is not None and running.status
    if runs and silence and silence.seconds >= TELL_SECONDS:
        message = (
            f"Pod {silence.pod} cannot be asked for its progress: {silence.error}. Let the "
            f"operator's namespace reach TCP port {names.METRICS_PORT} of the pods, by a "
            "NetworkPolicy for instance. Until the pod answers, the status shows old progress and "
            "spec.progressDeadlineSeconds ends nothing."
        )
        return Finding(reasons.PROGRESS_UNKNOWN, True, reasons.POD_DOES_NOT_ANSWER, message)
    if before is None:
        return None
    if runs and silence and before.status == "True":
        return Finding(reasons.PROGRESS_UNKNOWN, True, before.reason, before.message)
    if runs:
        return Finding(reasons.PROGRESS_UNKNOWN, False, reasons.POD_ANSWERS, "The pod answers.")
    no_pod = "No pod is there to be asked."
    return Finding(reasons.PROGRESS_UNKNOWN, False, reasons.NOT_ASKED, no_pod)
