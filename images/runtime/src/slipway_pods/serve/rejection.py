"""What an archive may not be to be served: marked as rejected, or two archives in one.

The mark of an archive that missed a gate is in the archive itself.

So it is not served wherever it lies and whoever names it: a copy has the mark too, and without the
mark it has another digest than any that a status or a record tells. Only who can write an archive
anew can take the mark off, and who can do that can write any archive.
"""

import zipfile
from pathlib import Path

from slipway_runtime.checks import one_reading
from slipway_runtime.shown import shown

MARK = "MAR-INF/REJECTED"
"""The entry of a ``.mar`` that is not to be served; TorchServe knows no such entry."""
TEXT = b"This archive missed a gate of its TrainingJob's package.gates, and is not served.\n"
"""What the entry holds."""


class DifferingError(Exception):
    """Servers could see other files in an archive than we; the text is one sentence."""


class RejectedError(Exception):
    """An archive is not to be served; the text is one sentence."""


def is_marked(file: Path) -> bool:
    """Tell whether a file is an archive with the mark; others are none of our business."""
    try:
        with zipfile.ZipFile(file) as bundle:
            return MARK in bundle.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def refuse(uri: str, files: list[Path]) -> None:
    """Raise RejectedError where one of the files that came from a URI has the mark."""
    if any(is_marked(file) for file in files):
        raise RejectedError(
            f"{shown(uri)} missed a gate of its TrainingJob's package.gates, so it is not served: "
            "status.rejectedPackage.gates has the figures."
        )


def check_reading(uri: str, file: Path) -> None:
    """Raise DifferingError where a file from a URI is a zip that readers differ about.

    TorchServe looks at no list of its contents, and we at nothing else. Raises OSError.
    """
    with file.open("rb") as opened:
        try:
            if one_reading.may_be(opened):
                one_reading.check(opened)
        except one_reading.TwoReadingsError as error:
            raise DifferingError(
                f"{shown(uri)} is not served, as its readers could differ about what is in it "
                f"({error}): make it with torch-model-archiver, zip or a TrainingJob."
            ) from error
