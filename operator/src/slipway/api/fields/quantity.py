"""Kubernetes' resource quantities as numbers."""

import re
from decimal import Context, Decimal

_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
    **{letter: Decimal(10) ** (-3 * power) for power, letter in enumerate("mun", start=1)},
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?i?|Ki)")
_MOST = Decimal(2**63 - 1)
"""Kubernetes takes what is larger for this. Written out, ``1e999999`` takes half a minute."""
_CONTEXT = Context(traps=[])
"""Gives an infinite number for one that is too large, and NaN for none, instead of an error."""


def parse_quantity(value: object) -> Decimal | None:
    """Return the number that a quantity such as ``500m`` or ``2Gi`` stands for; None if it is none.

    As in Kubernetes it is 2**63 - 1 at most, and at least the negative of that.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _QUANTITY.fullmatch(str(value).strip())
    if match is None or match.group(2) not in _SUFFIXES:
        return None
    number = _CONTEXT.create_decimal(match.group(1))
    found = _CONTEXT.multiply(number, _SUFFIXES[match.group(2)])
    return None if found.is_nan() else max(-_MOST, min(_MOST, found))
