"""The ConfigMaps of revisions: made before their pods, and deleted when no pod can need them."""

from collections.abc import Iterable, Iterator

from slipway.api import ModelDeployment
from slipway.envoy import Split
from slipway.manifests import REVISION, child
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.serving.children import names
from slipway.serving.children.pod.configuration import route_files
from slipway.serving.children.revision import RECORD_FILE, Revision, kept_files


def config_maps(
    deployment: ModelDeployment, children: Children, revision: Revision, split: Split
) -> tuple[Manifest, ...]:
    """Return a revision's two ConfigMaps: the immutable one, and the one with the routes.

    An immutable one that is there stays as it is, though a newer operator would word it otherwise.
    """
    fixed = _config_map(deployment, names.config_map(deployment, revision.name), revision)
    routes = _config_map(deployment, names.routes_config_map(deployment, revision.name), revision)
    return (
        {**fixed, "immutable": True, "data": _files(deployment, children, revision)},
        {**routes, "data": route_files(revision.proxy, split)},
    )


def _files(deployment: ModelDeployment, children: Children, revision: Revision) -> dict[str, str]:
    there = kept_files(deployment, children, revision.name)
    return there if RECORD_FILE in there else revision.files


def _config_map(deployment: ModelDeployment, name: str, revision: Revision) -> Manifest:
    found = child(deployment, "v1", "ConfigMap", name, names.SERVER)
    found["metadata"]["labels"][REVISION] = revision.name
    return found


def obsolete(children: Children, current: str, needed: Iterable[str]) -> tuple[Delete, ...]:
    """Return the deletions of ConfigMaps that no pod can need after a complete rollout.

    The current revision keeps its own, so does the one before, and every one with a pod or that is
    otherwise ``needed``.
    """
    kept = {current, _previous(children, current), *_with_pods(children), *needed}
    return tuple(
        Delete(ObjectRef.of(found), found["metadata"]["uid"])
        for found in children.of_kind("ConfigMap")
        if revision_label(found) and revision_label(found) not in kept
    )


def _previous(children: Children, current: str) -> str:
    """Return the newest revision but the current one, by its ConfigMaps; empty for none."""
    others = (
        (str(found["metadata"].get("creationTimestamp") or ""), revision_label(found))
        for found in children.of_kind("ConfigMap")
        if revision_label(found) not in ("", current)
    )
    return max(others, default=("", ""))[1]


def _with_pods(children: Children) -> Iterator[str]:
    return (revision_label(pod) for pod in children.of_kind("Pod"))


def revision_label(manifest: Manifest) -> str:
    """Return the revision that an object belongs to; empty for none."""
    return str((manifest["metadata"].get("labels") or {}).get(REVISION, ""))
