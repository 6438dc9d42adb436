"""Sequences of bases or amino acids as a model takes them.

A body is a text of letters, in lines of any length and with FASTA's first line or without; or
``{"sequence": "ACGT"}``. Small letters are as good as capitals.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_handlers.requests import BadInputError
from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.texts import text_of

UNKNOWN = -1
"""Of a letter that is none of the alphabet's."""
_CAPITALS = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
"""Of ASCII's letters alone: others become several letters, or another alphabet's."""
FIRST_WORD = 2
"""The number of the first k-mer: 0 fills shorter sequences up, 1 has a letter that is unknown."""

Letters = npt.NDArray[np.int64]


def read(found: Any, settings: SequenceSettings) -> Letters:
    """Return the numbers of a body's letters; raises BadInputError."""
    lines = _sequence(found).split("\n")
    if lines[0].startswith(">"):
        lines = lines[1:]
    if any(line.lstrip().startswith(">") for line in lines):
        raise BadInputError("it has several sequences: send one in a request")
    text = "".join("".join(lines).split()).translate(_CAPITALS)
    longest = settings.length or settings.longest
    least = settings.length or (1 if settings.encoding == "onehot" else settings.k)
    if not least <= len(text) <= longest:
        bounds = f"{longest}" if least == longest else f"from {least} to {longest}"
        raise BadInputError(f"its sequence has {len(text)} letters, and not {bounds}")
    return _numbers(text, settings)


def _sequence(found: Any) -> str:
    text = text_of(found, "sequence")
    if not isinstance(text, str) or not text.strip():
        raise BadInputError('send a sequence that is not empty, or {"sequence": "..."}')
    return text.strip()


def _numbers(text: str, settings: SequenceSettings) -> Letters:
    places = {letter: place for place, letter in enumerate(settings.letters)}
    numbers = np.array([places.get(letter, UNKNOWN) for letter in text], np.int64)
    if settings.refuse_unknown and (numbers == UNKNOWN).any():
        place = int(np.argmax(numbers == UNKNOWN))
        raise BadInputError(
            f"letter {place + 1} of its sequence is {text[place]!a}, and not one of "
            f"{settings.letters}"
        )
    return numbers


def encode(batch: Sequence[Letters], settings: SequenceSettings) -> npt.NDArray[Any]:
    """Return sequences as one array, by the encoding.

    ``onehot`` is float32 of shape (n, letters, longest), ``kmers`` int64 of shape (n, words of the
    longest), both filled up behind with 0, and ``counts`` float32 of shape (n, letters ** k): how
    often each k-mer is there, in the order of the alphabet.
    """
    if settings.encoding == "onehot":
        return _one_hot(batch, len(settings.letters))
    words = [_words(numbers, settings) for numbers in batch]
    if settings.encoding == "counts":
        size = len(settings.letters) ** settings.k
        return np.stack([_counts(each, size) for each in words])
    filled = np.zeros((len(words), max(map(len, words))), np.int64)
    for row, each in zip(filled, words, strict=True):
        row[: len(each)] = each + FIRST_WORD
    return filled


def _one_hot(batch: Sequence[Letters], letters: int) -> npt.NDArray[np.float32]:
    made = np.zeros((len(batch), letters, max(map(len, batch))), np.float32)
    for row, numbers in zip(made, batch, strict=True):
        places = np.flatnonzero(numbers != UNKNOWN)
        row[numbers[places], places] = 1
    return made


def _words(numbers: Letters, settings: SequenceSettings) -> Letters:
    """Return the numbers of a sequence's k-mers, -1 for one with an unknown letter."""
    windows = np.lib.stride_tricks.sliding_window_view(numbers, settings.k)
    powers = len(settings.letters) ** np.arange(settings.k - 1, -1, -1)
    return np.where((windows == UNKNOWN).any(axis=1), -1, windows @ powers)


def _counts(words: Letters, size: int) -> npt.NDArray[np.float32]:
    return np.bincount(words[words >= 0], minlength=size).astype(np.float32)
