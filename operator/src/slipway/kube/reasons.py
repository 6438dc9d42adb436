"""The condition that both kinds have while a plan cannot be carried out, and its reasons."""

STALLED = "Stalled"
"""True while what the object asks for cannot be carried out; absent otherwise. Tried again with
growing pauses, at most five minutes apart."""

NAME_CONFLICT = "NameConflict"
"""An object of somebody else has the name that a child needs; it is never taken over. Delete it, or
give the TrainingJob or ModelDeployment another name. Or an object of a deleted namesake has been
there for a minute: see what holds it, such as a finalizer."""
APPLY_REJECTED = "ApplyRejected"
"""An admission plugin, webhook or policy of the cluster or the namespace refuses a child, or the
API server does for what ``podTemplate`` or another field of the object's spec puts into it; the
message is its own."""
INVALID_CHILD = "InvalidChild"
"""The API server takes a child for invalid, or the admission policy of the operator's own release
refuses it, and nothing of the spec does that: the operator or its installation is at fault. The
message is the API server's own. Please report it."""
WEBHOOK_FAILED = "WebhookFailed"
"""A webhook of the cluster that has to be asked about a child does not answer, or fails; the
message names it. Pods that may need the child are not made; all else goes on, and the status too.
Mend the webhook, or have it leave out the namespace."""
QUOTA_EXCEEDED = "QuotaExceeded"
"""A ResourceQuota of the namespace leaves no room for a child; the message names the quota, and
what was asked for. Delete what is not needed, or have the quota raised."""
FORBIDDEN = "Forbidden"
"""The operator has no right to write a child; the message is the API server's own. Its roles are
the chart's."""
RECONCILE_FAILED = "ReconcileFailed"
"""The operator fails at this object in a way that was not foreseen; the message is the error's, and
the operator's log has more. It goes on trying. Please report it."""
INVALID_SPEC = "InvalidSpec"
"""The object was stored under another release's CRD and cannot be read by this operator; or it has
ended and its status cannot, so that it is left as it is."""
NAMESPACE_TOO_LARGE = "NamespaceTooLarge"
"""The objects of the namespace take more of the operator's memory than one namespace may
(``operator.namespaceMemoryPercent``), or this one and its children alone more than half of that:
they are not read, and nothing is done for it until others are deleted, or it is made smaller."""
STORE_UNAVAILABLE = "StoreUnavailable"
"""The namespace has no key of the store yet, and the store cannot be asked to make one."""
STORE_CREDENTIALS_MISSING = "StoreCredentialsMissing"
"""Each namespace brings its own Secret for the store (``store.external.namespaceSecrets``), and
this one has none."""

OF_AUTHORS = frozenset(
    {NAME_CONFLICT, APPLY_REJECTED, QUOTA_EXCEEDED, INVALID_SPEC, STORE_CREDENTIALS_MISSING}
)
"""What an object's author can mend, or whoever keeps its namespace, and who runs the operator can
not: no fault of the operator's."""
