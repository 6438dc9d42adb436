"""Which pods serve, and what their containers wrote at their end."""

from collections.abc import Mapping
from typing import Any

from slipway.manifests import COMPONENT
from slipway.observed.last_words import json_object
from slipway.observed.pods import PodView
from slipway.plan import Children
from slipway.serving.children import names
from slipway.serving.children.config_maps import revision_label
from slipway.uris import scrubbed

TAIL_LINES = 20
TAIL_CHARACTERS = 2000


def pods_of(children: Children, revision: str) -> tuple[PodView, ...]:
    """Return the pods of a revision that have not been told to go, by name."""
    return tuple(pod for pod in serving_pods(children) if revision_label(pod.manifest) == revision)


def serving_pods(children: Children) -> tuple[PodView, ...]:
    """Return the pods of all revisions that have not been told to go, by name."""
    return tuple(
        PodView(pod)
        for pod in children.of_kind("Pod")
        if (pod["metadata"].get("labels") or {}).get(COMPONENT) == names.SERVER
        and not pod["metadata"].get("deletionTimestamp")
    )


def is_own_server(pod: PodView) -> bool:
    """Tell whether a pod runs a server of the user's own, of whose workers nothing is known."""
    beside = pod.manifest.get("spec", {}).get("initContainers") or ()
    return any(container["name"] == names.HOOKS for container in beside)


def last_word(end: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a termination message that is a JSON object; empty for anything else."""
    return json_object(str(end.get("message") or ""))


def log_tail(end: Mapping[str, Any]) -> str:
    """Return the last lines of a container's log, as the termination message has them.

    Of a log that is one JSON object a line, messages and exceptions are what is kept. The
    kubelet may have cut the first line.
    """
    raw = str(end.get("message") or "").splitlines()
    lines = [line for each in raw for line in _plain(each).splitlines() if line.strip()]
    # A URI that was cut first could not be told from other text.
    return scrubbed("\n".join(lines[-TAIL_LINES:]))[-TAIL_CHARACTERS:].strip()


def _plain(line: str) -> str:
    entry = json_object(line)
    if "message" not in entry:
        return line
    return "\n".join(str(entry.get(key) or "") for key in ("message", "exception"))
