"""Who may reach pods, as Kubernetes' NetworkPolicy says it, bounded."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, rules, text
from slipway.api.fields.selector import AnySelector

Cidr = Annotated[
    str,
    text(
        "^[0-9A-Fa-f.:]+/[0-9]{1,3}$", "write a range of addresses, such as 10.0.0.0/8", longest=43
    ),
]


class IpBlock(ApiModel):
    """A range of addresses, for clients outside of the cluster."""

    cidr: Cidr
    """The range."""
    except_: Annotated[list[Cidr], Field(max_length=16, alias="except")] = Field(
        default_factory=list, description="Ranges within it that are left out."
    )


class Peer(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "write either ipBlock, or podSelector, namespaceSelector or both",
        )
    ),
):
    """Pods that match all of its selectors, or addresses."""

    pod_selector: AnySelector | None = Field(
        default=None,
        description="Labels of pods; of this namespace where there is no namespaceSelector.",
    )
    namespace_selector: AnySelector | None = Field(
        default=None, description="Labels of namespaces; {} is all of them."
    )
    ip_block: IpBlock | None = None
    """Addresses."""
