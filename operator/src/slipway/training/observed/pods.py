"""What a pod of a Job tells besides what every pod does."""

from dataclasses import dataclass
from functools import cached_property

from slipway.observed.pods import ContainerView, PodView
from slipway.training.children.names import AGENT, INDEX
from slipway.training.observed.last_words import LastWord, last_word


@dataclass(frozen=True)
class JobPod(PodView):
    """One pod of a Job; ``component`` names its main container."""

    component: str

    @cached_property
    def index(self) -> int:
        """The pod's index in its Job; 0 in a Job without indexes."""
        meta = self.manifest["metadata"]
        text = (meta.get("labels") or {}).get(INDEX) or (meta.get("annotations") or {}).get(INDEX)
        return int(text) if text and text.isdecimal() else 0

    @cached_property
    def main(self) -> ContainerView:
        """The main container; without a state where the kubelet has not spoken yet."""
        return self.container(self.component)

    @cached_property
    def ended(self) -> bool:
        """Whether the pod, or already its main container, has ended."""
        return self.status.get("phase") in ("Succeeded", "Failed") or bool(self.main.terminated)

    @cached_property
    def succeeded(self) -> bool:
        """Whether the main container ended well, even if a sidecar still stops."""
        if self.status.get("phase") == "Failed":
            return False
        return self.status.get("phase") == "Succeeded" or self.main.exit_code == 0

    @cached_property
    def failed(self) -> bool:
        """Whether the pod ended, and not well."""
        return self.ended and not self.succeeded

    @cached_property
    def culprit(self) -> ContainerView | None:
        """The container that ended badly: the main one first, then whatever came before it."""
        ended = (each for each in (self.main, *self.containers) if each.exit_code)
        return next((each for each in ended if each.name != AGENT), None)

    @cached_property
    def word(self) -> LastWord | None:
        """How that container ended; None where none ended badly."""
        return last_word(self.culprit) if self.culprit else None
