"""What a user may ask of the pods that the operator makes for them: once for both kinds.

The operator makes pods with its own authority, for users who may have none to make pods. So what
they get is bounded by what an administrator allows, and never reads the operator's Secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from slipway.api.base import ApiModel
from slipway.api.common import ObjectMeta
from slipway.pods.secrets import named_secret, names_account, token
from slipway.pods.standard import ENFORCE, Level, Violation, first_violation, laxest
from slipway.settings import Settings


@dataclass(frozen=True)
class Refusal:
    """Why the pods are not made: a reason of either kind's, and a sentence that says what to do."""

    reason: Literal["PodTemplateForbidden", "SecretForbidden"]
    message: str


class Asking(Protocol):
    """An object of either kind."""

    @property
    def metadata(self) -> ObjectMeta:
        """Its metadata."""

    @property
    def spec(self) -> ApiModel:
        """What its user wrote."""


def refusal(
    asking: Asking, template: Mapping[str, Any], enforced: str | None, settings: Settings
) -> Refusal | None:
    """Return why an object's pods are not made; None where they may be.

    ``template`` is the pod template with the user's overlay in it. ``enforced`` is the Pod Security
    level that the namespace's own label says, if any. The label can only allow more than the
    operator's settings do: nobody sets it who may not change namespaces, and a stricter one is
    enforced by the API server itself.
    """
    return (
        _secret(asking, settings)
        or _token(asking, template)
        or _level(template, enforced, settings)
    )


def level_of(enforced: str | None, settings: Settings) -> Level:
    """Return the Pod Security level that the pods of a namespace are held to, see `refusal`."""
    return laxest(settings.pod_security, enforced)


def violation(template: Mapping[str, Any], level: Level) -> Violation | None:
    """Return what a pod template asks for beyond a level; None where it keeps to the level."""
    return first_violation(template["spec"], level, template["metadata"].get("annotations"))


def _secret(asking: Asking, settings: Settings) -> Refusal | None:
    secrets = settings.own_secrets(asking.metadata.namespace)
    found = named_secret(asking.spec.to_wire(), secrets)
    if found is None:
        return None
    path, name = found
    message = (
        f"spec.{path} names the Secret {name}, which has the operator's own credentials: write the "
        "name of a Secret of yours."
    )
    return Refusal("SecretForbidden", message)


def _token(asking: Asking, template: Mapping[str, Any]) -> Refusal | None:
    """Return a refusal of a token whose account the user does not name."""
    path = token(template["spec"])
    if path is None or names_account(asking.spec.to_wire()):
        return None
    message = (
        f"spec.podTemplate.spec.{path} gives the pods a service account's identity: name the "
        "account with serviceAccountName, or remove it."
    )
    return Refusal("PodTemplateForbidden", message)


def _level(template: Mapping[str, Any], enforced: str | None, settings: Settings) -> Refusal | None:
    level = level_of(enforced, settings)
    found = violation(template, level)
    if found is None:
        return None
    path = found.path if found.path.startswith("metadata.") else f"spec.{found.path}".rstrip(".")
    message = (
        f'spec.podTemplate.{path} is not allowed by the Pod Security Standard "{level}": '
        f"{found.advice}. An administrator may allow more: for the cluster by the chart's value "
        f"pods.podSecurity, for a namespace by its label {ENFORCE}."
    )
    return Refusal("PodTemplateForbidden", message)
