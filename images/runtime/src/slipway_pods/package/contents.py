"""What an archive is made of: the files that ``spec.package`` names, brought and checked."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from slipway_pods.package import built_in, mar, requirements
from slipway_pods.package.package_files import PackageFiles
from slipway_pods.package.samples.handed import Built
from slipway_runtime.checks.package_code import check_code

AT_START = "AtStart"
"""Of ``installRequirements``: pip installs in each server pod, and not here."""


def gather(package: Mapping[str, Any], files: PackageFiles, folder: Path) -> mar.Contents:
    """Bring everything that the package names to local files; raises PackageError."""
    handler, function = files.handler(package["handler"])
    weights = files.require("serializedFile", package["serializedFile"])
    needed = files.optional("requirementsFile", package.get("requirementsFile"))
    at_start = package.get("installRequirements") == AT_START
    contents = mar.Contents(
        model_name=package["modelName"],
        model_version=package["modelVersion"],
        serialized_file=weights,
        handler=handler,
        function=function,
        model_file=files.optional("modelFile", package.get("modelFile")),
        extra=files.extra_files(package.get("extraFiles") or []),
        requirements_file=needed if at_start else None,
        config_file=write_config(package.get("config"), folder),
        weights_place=files.extra_place(package["serializedFile"]),
    )
    if package["handler"] in built_in.HANDLERS:
        built_in.check(package["handler"], package.get("config") or {}, contents.extra)
        check_code(package["handler"], None, contents.model_file)
    else:
        check_code(contents.handler, contents.function, contents.model_file)
    if needed is None or at_start:
        return contents
    scratch = folder / "requirements"
    scratch.mkdir()
    installed = requirements.install(needed, contents.extra or needed.parent, scratch)
    return replace(contents, installed=installed)


def write_config(config: Mapping[str, Any] | None, folder: Path) -> Path | None:
    """Write the model's own ``model-config.yaml``, and return its path; None for no settings."""
    if not config:
        return None
    path = folder / "model-config.yaml"
    path.write_text(yaml.safe_dump(dict(config), sort_keys=True), encoding="utf-8")
    return path


def make(package: Mapping[str, Any], files: PackageFiles, folder: Path) -> Built:
    """Make the archive in a folder; raises PackageError, StoreError, ArchiveError or OSError."""
    contents = gather(package, files, folder)
    installed = contents.installed
    return Built(mar.build(contents, folder), installed.packages if installed else None)
