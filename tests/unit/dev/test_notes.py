"""The notes of a release."""

import pytest

from dev.errors import DevError
from dev.notes import CHANGELOG, notes

TEXT = """# Changelog

## [Unreleased]

### Added

- Something new.

## [1.2.0] - 2026-01-01

### Fixed

- A fault.

## [1.1.0] - 2025-12-01
"""


def test_the_notes_are_the_section_of_the_version_alone() -> None:
    assert notes("1.2.0", TEXT) == "### Fixed\n\n- A fault.\n"


@pytest.mark.parametrize("version", ["9.9.9", "1.1.0", "1.2", ""])
def test_a_version_without_notes_is_refused(version: str) -> None:
    with pytest.raises(DevError, match="has no section"):
        notes(version, TEXT)


def test_the_released_version_has_notes() -> None:
    assert "TrainingJob" in notes("0.2.0", CHANGELOG.read_text())
