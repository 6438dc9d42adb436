"""Who gets which requests: the split in the Envoys of each revision, and whether they know of it.

The kubelet brings a changed ConfigMap to a pod within a minute or more, but at once when the pod
itself changes. So an annotation of each serving pod names the routes that it should have.
"""

from collections.abc import Iterator, Mapping

from slipway.api import ModelDeployment
from slipway.api.serving.matching import Match, Matcher, Sticky
from slipway.api.serving.rollout_status import Candidate, RolloutStatus, SlotName
from slipway.envoy import ALONE, Condition, Split
from slipway.envoy import Sticky as EnvoySticky
from slipway.observed.pods import PodView
from slipway.plan import Children, Manifest, ObjectRef, Patch
from slipway.serving.children import names
from slipway.serving.children.pod.configuration import route_files
from slipway.serving.children.revision import Revision, hash_of
from slipway.serving.children.services import address
from slipway.serving.observed.pods import pods_of
from slipway.serving.rollout.candidate import has_share

ROUTES = "slipway.dev/routes"
"""Annotation of a serving pod: hash of the route file that it should have."""

Revisions = Mapping[str, Revision]


def splits(
    deployment: ModelDeployment, children: Children, state: RolloutStatus
) -> dict[str, Split]:
    """Return the split of each revision that sends requests elsewhere; all others send none."""
    candidate, stable, retired = state.candidate, state.stable_revision, state.retired
    by_revision = {}
    if candidate is not None and stable is not None:
        if candidate.promoted:
            by_revision[stable] = _all_to(deployment, children, state.active_slot)
        elif has_share(candidate) and candidate.slot != state.active_slot:
            by_revision[stable] = _some_to(deployment, children, candidate)
    if retired is not None and retired.was_stable:
        by_revision[retired.revision] = _all_to(deployment, children, state.active_slot)
    return by_revision


def _all_to(deployment: ModelDeployment, children: Children, slot: SlotName) -> Split:
    return Split(target=address(deployment, children, slot), weight=100)


def _some_to(deployment: ModelDeployment, children: Children, candidate: Candidate) -> Split:
    rollout = deployment.spec.rollout
    test = rollout.ab_test if candidate.matching else None
    sticky = test.sticky if test else (rollout.canary.sticky if rollout.canary else None)
    return Split(
        target=address(deployment, children, candidate.slot),
        weight=candidate.weight,
        mirror=candidate.mirror,
        matches=tuple(map(_match, test.match)) if test else (),
        sticky=_sticky(sticky) if sticky else None,
    )


def _match(match: Match) -> tuple[Condition, ...]:
    headers = (_condition(matcher, cookie=False) for matcher in match.headers)
    cookies = (_condition(matcher, cookie=True) for matcher in match.cookies)
    return (*headers, *cookies)


def _condition(matcher: Matcher, *, cookie: bool) -> Condition:
    return Condition(matcher.name, matcher.exact, matcher.prefix, matcher.regex, cookie)


def _sticky(sticky: Sticky) -> EnvoySticky:
    if sticky.cookie is not None:
        return EnvoySticky(cookie=sticky.cookie.name, seconds=sticky.cookie.ttl_seconds)
    return EnvoySticky(header=sticky.header)


def settled(
    deployment: ModelDeployment, children: Children, revisions: Revisions, state: RolloutStatus
) -> bool:
    """Tell whether all serving pods have been told of the shares that a status stands for."""
    by_revision = splits(deployment, children, state)
    if any(split.target is None for split in by_revision.values()):
        return False
    for revision, split in _senders(state, revisions, by_revision):
        files = route_files(revision.proxy, split)
        if not _is_live(deployment, children, revision, files):
            return False
        routes_hash = hash_of(files)
        if any(_note(pod) != routes_hash for pod in _running(children, revision.name)):
            return False
    return True


def nudges(
    deployment: ModelDeployment, children: Children, revisions: Revisions, state: RolloutStatus
) -> tuple[Patch, ...]:
    """Return the patches that have pods look at their routes, once the ConfigMap has them.

    A pod that was never told needs no word while nothing is sent elsewhere.
    """
    by_revision = splits(deployment, children, state)
    rolling = state.candidate is not None or state.retired is not None
    patches = []
    for revision, split in _senders(state, revisions, by_revision):
        files = route_files(revision.proxy, split)
        if not _is_live(deployment, children, revision, files):
            continue
        routes_hash = hash_of(files)
        for pod in _running(children, revision.name):
            if _note(pod) != routes_hash and (rolling or _note(pod)):
                body = {"metadata": {"annotations": {ROUTES: routes_hash}}}
                patches.append(Patch(ObjectRef.of(pod.manifest), body))
    return tuple(patches)


def _senders(
    state: RolloutStatus, revisions: Revisions, by_revision: Mapping[str, Split]
) -> Iterator[tuple[Revision, Split]]:
    """Yield the revisions that send requests elsewhere, or did just now, with their splits."""
    candidate, retired = state.candidate, state.retired
    senders = [state.stable_revision]
    if candidate is None and retired is not None and retired.was_stable:
        senders = [retired.revision]
    elif candidate is not None and candidate.direct:
        senders.append(candidate.revision)
    for name in senders:
        if name and name in revisions:
            yield revisions[name], by_revision.get(name, ALONE)


def _is_live(
    deployment: ModelDeployment, children: Children, revision: Revision, files: dict[str, str]
) -> bool:
    name = names.routes_config_map(deployment, revision.name)
    live = children.get("v1", "ConfigMap", deployment.metadata.namespace, name)
    return ((live or {}).get("data") or {}) == files


def _running(children: Children, revision: str) -> tuple[PodView, ...]:
    return tuple(
        pod
        for pod in pods_of(children, revision)
        if (pod.manifest.get("status") or {}).get("phase") == "Running"
    )


def _note(pod: PodView) -> str:
    found: Manifest = pod.manifest["metadata"].get("annotations") or {}
    return str(found.get(ROUTES) or "")
