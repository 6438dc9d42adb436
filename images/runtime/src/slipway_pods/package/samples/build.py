"""The first container of a packaging with samples: makes the archive, and reads the rows.

Variables: those of `slipway_pods.package.package`, whose exit codes and last words it has too; the
reason is Built where all is well.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from slipway_pods.package import package
from slipway_pods.package.contents import make
from slipway_pods.package.package import Settings
from slipway_pods.package.package_files import PackageFiles
from slipway_pods.package.samples import handed
from slipway_pods.package.samples.evaluation import Program
from slipway_pods.serve.samples.rows import MAX_BYTES, SamplesError, read
from slipway_pods.store import credentials
from slipway_runtime.checks.package_code import PackageError, check_function

FIELD = "samples.file"


def build(settings: Settings, folder: Path) -> dict[str, Any]:
    """Make the archive, and hand it on with the rows; return the last word.

    Raises as `make` does, and PackageError for rows that are none.
    """
    output = package.read_output(settings.output_uri)
    place = (settings.output_uri, output, settings.source_dir)
    samples = settings.package["samples"]
    # In a folder of their own: an extra file of the same name is one of the archive's.
    aside = PackageFiles(*place, folder / "samples", package.patiently)
    name = samples["file"]
    rows = aside.require(FIELD, name)
    try:
        with rows.open("rb") as file:
            count = len(read(file.read(MAX_BYTES + 1)))
    except SamplesError as error:
        text = f"package.{FIELD} {name!r} cannot be used: {error}."
        raise PackageError("InvalidSamples", text) from error
    evaluate = _program(samples.get("evaluate"), aside)
    made = make(settings.package, PackageFiles(*place, folder, package.patiently), folder)
    handed.give(made, rows, Path(tempfile.gettempdir(), handed.MADE), evaluate)
    return {"reason": "Built", "message": f"The archive is made; its {count} rows follow."}


def _program(name: str | None, files: PackageFiles) -> Path | None:
    """Return the file of the user's evaluation, if there is one; raises PackageError."""
    if name is None:
        return None
    program = Program.named(name)
    path = files.require("samples.evaluate", program.path)
    check_function(path, program.function)
    return path


if __name__ == "__main__":
    credentials.hold()
    sys.exit(package.main(os.environ, build))
