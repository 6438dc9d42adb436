"""The Services: the one that users reach, and those that lead to one slot during a rollout.

All lead to Envoy's listener and to nothing else.
"""

from typing import Any

from slipway.api import ModelDeployment
from slipway.api.serving.rollout_status import RolloutStatus, SlotName
from slipway.manifests import REVISION, child
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.serving.children import names
from slipway.serving.children.slots import BLUE, GREEN, Slot, leaving, other_slot, slot_of

SLOT_PORT = 80
"""Port of the Services of the slots."""


def service(deployment: ModelDeployment, active: Slot) -> Manifest:
    """Return the Service that users reach, in front of the slot that serves them."""
    service_spec = deployment.spec.expose.service
    spec = {
        "type": service_spec.type,
        "selector": names.selector(deployment, active.track),
        "ports": [_port(service_spec.port)],
    }
    return _service(deployment, deployment.metadata.name, spec)


def rollout_services(
    deployment: ModelDeployment, children: Children, state: RolloutStatus
) -> tuple[Manifest, ...]:
    """Return the Services that lead to one revision in one slot, and the preview where wanted."""
    services = [
        _of_revision(
            deployment,
            children,
            names.slot_service(deployment, slot),
            slot,
            revision,
            SLOT_PORT,
        )
        for slot, revision in _led_to(deployment, children, state).items()
    ]
    preview = _previewed(deployment, state)
    if preview is not None:
        slot, revision = preview
        name, port = names.preview_service(deployment), deployment.spec.expose.service.port
        services.append(_of_revision(deployment, children, name, slot, revision, port))
    return tuple(services)


def unwanted_services(
    deployment: ModelDeployment, children: Children, state: RolloutStatus
) -> tuple[Delete, ...]:
    """Return the deletions of Services that a rollout needed and nobody needs any more.

    As long as the spare slot has pods, they may send requests to the other one.
    """
    if _has_pods(deployment, children, other_slot(state.active_slot)):
        return ()
    needed = {each["metadata"]["name"] for each in rollout_services(deployment, children, state)}
    mine = {
        names.preview_service(deployment),
        *(names.slot_service(deployment, slot) for slot in (BLUE, GREEN)),
    }
    return tuple(
        Delete(ObjectRef.of(live), live["metadata"]["uid"])
        for live in children.of_kind("Service")
        if live["metadata"]["name"] in mine - needed
    )


def address(deployment: ModelDeployment, children: Children, slot: SlotName) -> str | None:
    """Return ``IP:PORT`` of a slot's Service; None while it has none."""
    name = names.slot_service(deployment, slot)
    live = children.get("v1", "Service", deployment.metadata.namespace, name)
    ip = str(((live or {}).get("spec") or {}).get("clusterIP") or "")
    if not ip or ip == "None":
        return None
    return f"[{ip}]:{SLOT_PORT}" if ":" in ip else f"{ip}:{SLOT_PORT}"


def _led_to(
    deployment: ModelDeployment, children: Children, state: RolloutStatus
) -> dict[SlotName, str]:
    """Return the revision that each slot's Service leads to, for the slots that need one."""
    candidate, active, retired = state.candidate, state.active_slot, state.retired
    last = leaving(state)
    if last is not None:
        return {last.slot: last.revision}
    if candidate is not None and candidate.slot != active:
        return {candidate.slot: candidate.revision}
    serving = candidate.revision if candidate is not None else state.stable_revision
    sends = (candidate is not None and candidate.promoted) or retired is not None
    return {active: serving} if sends and serving else {}


def _has_pods(deployment: ModelDeployment, children: Children, slot: SlotName) -> bool:
    track = slot_of(deployment, children, slot).track
    return any(
        (pod["metadata"].get("labels") or {}).get(names.TRACK) == track
        for pod in children.of_kind("Pod")
    )


def _previewed(deployment: ModelDeployment, state: RolloutStatus) -> tuple[SlotName, str] | None:
    """Return slot and revision of the preview: the candidate's, or else those that serve."""
    if deployment.spec.rollout.strategy != "BlueGreen":
        return None
    if state.candidate is not None:
        return state.candidate.slot, state.candidate.revision
    return (state.active_slot, state.stable_revision) if state.stable_revision else None


def _of_revision(
    deployment: ModelDeployment,
    children: Children,
    name: str,
    slot: SlotName,
    revision: str,
    port: int,
) -> Manifest:
    track = slot_of(deployment, children, slot).track
    selector = {**names.selector(deployment, track), REVISION: revision}
    spec = {"type": "ClusterIP", "selector": selector, "ports": [_port(port)]}
    return _service(deployment, name, spec)


def _port(number: int) -> dict[str, object]:
    return {
        "name": "http",
        "port": number,
        "targetPort": "http",
        "protocol": "TCP",
        "appProtocol": "http",
    }


def _service(deployment: ModelDeployment, name: str, spec: dict[str, Any]) -> Manifest:
    return {**child(deployment, "v1", "Service", name, names.SERVER), "spec": spec}
