"""Pods that were deleted, as they were last seen: by whom a failure is told apart."""

from collections import OrderedDict

from slipway.kube.watched.identity import OwnerKey
from slipway.plan import Manifest


class GonePods:
    """The ``most`` pods that were deleted last, by the owner of their Job."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._owners: OrderedDict[str, OwnerKey] = OrderedDict()
        self._pods: dict[OwnerKey, dict[str, Manifest]] = {}

    def add(self, owner: OwnerKey, uid: str, pod: Manifest) -> None:
        """Remember a pod that an owner's Job had."""
        place = {key: value for key, value in pod.get("spec", {}).items() if key == "nodeName"}
        self._owners[uid] = owner
        self._pods.setdefault(owner, {})[uid] = {**pod, "spec": place}
        while len(self._owners) > self._most:
            self._drop(*self._owners.popitem(last=False))

    def of(self, owner: OwnerKey) -> tuple[Manifest, ...]:
        """Return an owner's deleted pods, in the order in which they went."""
        return tuple(self._pods.get(owner, {}).values())

    def forget(self, owner: OwnerKey) -> None:
        """Remember nothing of an owner's pods any more."""
        for uid in self._pods.pop(owner, {}):
            del self._owners[uid]

    def _drop(self, uid: str, owner: OwnerKey) -> None:
        pods = self._pods[owner]
        del pods[uid]
        if not pods:
            del self._pods[owner]
