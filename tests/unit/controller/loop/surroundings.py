"""What an observer asks, where all is well and nobody has anything to say."""

from slipway.controller.loop.refusals import Refused
from slipway.plan import StoreState
from slipway.serving.observed.deaths import Death


async def reachable() -> StoreState:
    return StoreState()


def no_traffic(_deployment: object, _raw: object, _children: object) -> None:
    """Nothing is judged here."""


async def unlabelled(_namespace: str, _label: str) -> None:
    """No namespace has a label."""


async def none_refused(_children: object) -> Refused:
    return Refused()


async def served(_api_version: str, _kind: str) -> bool:
    return True


def no_deaths(*_: object) -> dict[str, Death]:
    return {}


async def none_settled(*_: object) -> None:
    """All Jobs are listed here."""


async def nobody_asked(_job: object) -> None:
    """Nothing is due to be removed here."""


NOTHING = (
    served,
    no_traffic,
    no_deaths,
    unlabelled,
    none_refused,
    nobody_asked,
    lambda _: None,
    none_settled,
)
"""What surrounds an object has nothing to say."""
