"""The archive with the best form of its model, as the container with the keys makes it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway_pods.package import mar
from slipway_pods.package.optimize import handing
from slipway_pods.package.optimize.choice import Wanted
from slipway_pods.package.samples.handed import Built


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
