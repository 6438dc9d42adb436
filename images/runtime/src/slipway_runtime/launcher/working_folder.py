"""The folder that the training runs in: links to the source's entries, and room beside them.

The source itself is read-only, and scripts write relative paths: ``lightning_logs/``, ``wandb/``,
``./data``.
"""

from __future__ import annotations

from pathlib import Path

from slipway_runtime.launcher.run_settings import LaunchError

KUBELET_PREFIX = ".."
"""Names that begin so are the kubelet's own in a mounted ConfigMap, whose keys never do.

Source: https://kubernetes.io/docs/concepts/configuration/configmap/
"""


def make(source: Path, folder: Path) -> None:
    """Make a folder with a link to each entry of the source.

    What is in the folder already stays as it is. Raises LaunchError where the source is not there,
    or the folder cannot be written.
    """
    if not source.is_dir():
        raise LaunchError(
            "SourceNotFound",
            f"The source's folder {source} is not in the image: correct spec.source.image.path.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _link_entries(source, folder)
    except OSError as error:
        raise LaunchError(
            "LauncherFailed",
            f"The working folder {folder} cannot be made ({error}): check what spec.podTemplate "
            "mounts there, and spec.volumeSizes.scratch.",
        ) from error


def _link_entries(source: Path, folder: Path) -> None:
    for entry in source.iterdir():
        link = folder / entry.name
        if entry.name.startswith(KUBELET_PREFIX) or link.is_symlink() or link.exists():
            continue
        link.symlink_to(entry)
