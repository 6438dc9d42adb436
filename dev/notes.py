"""The notes of a release: its section of CHANGELOG.md."""

import re

from dev import paths
from dev.errors import DevError

CHANGELOG = paths.REPOSITORY / "CHANGELOG.md"


def notes(version: str, changelog: str) -> str:
    """Return the section of a version (X.Y.Z) without its heading.

    Raises ``DevError`` where the changelog has no such section, or an empty one.
    """
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)
    for section in sections:
        heading, _, body = section.partition("\n")
        if heading.startswith(f"[{version}]") and body.strip():
            return body.strip() + "\n"
    raise DevError(f"CHANGELOG.md has no section [{version}] with text: write the notes first.")
