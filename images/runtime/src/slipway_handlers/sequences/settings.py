"""What ``spec.package.config.handler`` may say to ``sequence``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway_handlers.settings import ClassSettings, Given, SettingsError

ALPHABETS = {"dna": "ACGT", "rna": "ACGU", "protein": "ACDEFGHIKLMNPQRSTVWY"}
LONGEST = 1_000_000
"""Most letters of a sequence."""
MOST_WORDS = 1 << 20
"""Most different k-mers."""


@dataclass(frozen=True)
class SequenceSettings:
    """How letters become numbers.

    ``length`` is that of all sequences, 0 for any up to ``longest``. ``unknown`` letters are
    refused, or are no letter: zeros of one-hot rows, the number 1 among those of k-mers.
    """

    classes: ClassSettings
    letters: str = ALPHABETS["dna"]
    encoding: str = "onehot"
    k: int = 3
    length: int = 0
    longest: int = 10_000
    refuse_unknown: bool = True

    @classmethod
    def read(cls, settings: Any) -> SequenceSettings:
        """Read the settings; raises SettingsError."""
        given = Given(settings)
        classes = ClassSettings.take(given)
        letters = ALPHABETS[given.choice("alphabet", *ALPHABETS)]
        encoding = given.choice("encoding", "onehot", "kmers", "counts")
        k = given.whole("k", cls.k, 1, 10)
        length = given.whole("length", 0, 0, LONGEST)
        longest = given.whole("maxLength", cls.longest, 1, LONGEST)
        unknown = given.choice("unknown", "refuse", "keep")
        given.nothing_left()
        if encoding != "onehot" and len(letters) ** k > MOST_WORDS:
            raise SettingsError(f"config.handler.k: {len(letters)} letters make too many k-mers")
        if encoding != "onehot" and (length or longest) < k:
            name = "length" if length else "maxLength"
            raise SettingsError(f"config.handler.{name}: write k, {k}, or more")
        return cls(classes, letters, encoding, k, length, longest, unknown == "refuse")
