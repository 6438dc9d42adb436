"""The archive with the best form of its model, as the container with the keys makes it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway_pods.package import mar
from slipway_pods.package.optimize import handing
from slipway_pods.package.optimize.choice import Wanted
from slipway_pods.package.samples.handed import Built
from slipway_runtime.termination import MAX_MESSAGE_BYTES

MOST_BYTES = MAX_MESSAGE_BYTES - 64
"""Longest text with what is told of a package: the last word has its reason beside it."""
_LENGTHS = (512, 200, 100, 50, 0)
"""To how many characters the sentences of rows are cut, one try after the other."""


def with_best(optimize: Mapping[str, Any], built: Built, folder: Path) -> Built:
    """Return the archive with the best form of its model, by ``package.optimize``, and all rows.

    The same archive and the same file give the same bytes. Raises PackageError or ArchiveError.
    """
    rows, best = handing.taken(Wanted.of(dict(optimize)), mar.model_size(built.archive), folder)
    told = [row.told for row in rows]
    if best is None:
        return replace(built, optimization=told)
    target = folder / "optimized.mar"
    mar.swap_model(built.archive, target, best)
    return replace(built, archive=target, optimization=told)


def fitting(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a package so short that the kubelet keeps it, whatever was measured.

    Sentences on forms are cut first; where that is not enough, their rows are left out. The record
    of the archive's origin has all of them as they are.
    """
    for length in _LENGTHS:
        rows = [{**row, "message": row["message"][:length]} for row in told.get("optimization", ())]
        shorter = {**told, **({"optimization": rows} if rows else {})}
        if len(json.dumps(shorter)) <= MOST_BYTES:
            return shorter
    return {name: value for name, value in told.items() if name != "optimization"}
