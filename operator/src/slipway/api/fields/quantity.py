"""Kubernetes' resource quantities as numbers."""

import re
from decimal import Decimal

_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
    **{letter: Decimal(10) ** (-3 * power) for power, letter in enumerate("mun", start=1)},
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?i?|Ki)")


def parse_quantity(value: object) -> Decimal | None:
    """Return the number that a quantity such as ``500m`` or ``2Gi`` stands for; None if it is none.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _QUANTITY.fullmatch(str(value).strip())
    if match is None or match.group(2) not in _SUFFIXES or match.group(1).count(".") > 1:
        return None
    return Decimal(match.group(1)) * _SUFFIXES[match.group(2)]
