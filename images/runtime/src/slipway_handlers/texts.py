"""Texts as a model takes them: numbers of tokens, by a vocabulary or by the user's own tokenizer.

A body is a text, or ``{"text": TEXT}``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_handlers.requests import BadInputError, as_json
from slipway_handlers.settings import TextSettings

VOCABULARY = "vocab.txt"
"""A token on each line, of which the first has the number 0, as BERT's vocabularies have them."""
TOKENIZER = "tokenizer.py"
"""A Python file with a function ``encode(text) -> list[int]``, and ``PAD = 0`` if it is not 0."""
UNKNOWN = ("[UNK]", "<unk>")
PADDING = ("[PAD]", "<pad>")
_WORDS = re.compile(r"\w+|[^\w\s]")
"""A word, or a sign that is none."""


@dataclass(frozen=True)
class Tokenizer:
    """Makes numbers of a text; ``padding`` is the number that fills the shorter ones up."""

    encode: Callable[[str], Sequence[int]]
    padding: int = 0


def tokenizer(folder: Path, settings: TextSettings) -> Tokenizer:
    """Return the tokenizer of an unpacked archive: the user's own, or else its vocabulary's.

    Raises ValueError or OSError where it has neither, or one that is none.
    """
    if (folder / TOKENIZER).is_file():
        return _own(folder / TOKENIZER)
    if (folder / VOCABULARY).is_file():
        lines = (folder / VOCABULARY).read_text("utf-8").splitlines()
        return by_vocabulary(lines, settings.lowercase)
    raise ValueError(
        f"The archive has neither {VOCABULARY} nor {TOKENIZER}: add package.extraFiles."
    )


def _own(path: Path) -> Tokenizer:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path.name} cannot be imported.")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "encode", None)):
        raise ValueError(f"{path.name} has no function encode(text).")
    return Tokenizer(module.encode, int(getattr(module, "PAD", 0)))


def by_vocabulary(tokens: Sequence[str], lowercase: bool) -> Tokenizer:
    """Return a tokenizer that looks up each word and each other sign.

    A word that the vocabulary lacks gets the number of its token for unknown ones, or is left out
    where there is none. Raises ValueError for an empty vocabulary.
    """
    numbers = {token.strip(): number for number, token in reversed(list(enumerate(tokens)))}
    if not numbers:
        raise ValueError(f"{VOCABULARY} is empty.")
    unknown = next((numbers[token] for token in UNKNOWN if token in numbers), None)
    padding = next((numbers[token] for token in PADDING if token in numbers), 0)

    def encode(text: str) -> list[int]:
        words = _WORDS.findall(text.lower() if lowercase else text)
        found = (numbers.get(word, unknown) for word in words)
        return [number for number in found if number is not None]

    return Tokenizer(encode, padding)


def read(found: Any, tokenizer: Tokenizer, longest: int) -> list[int]:
    """Return the numbers of a body's text, at least one; raises BadInputError."""
    text = _text(found)
    if not isinstance(text, str) or not text.strip():
        raise BadInputError('send a text that is not empty, or {"text": "..."}')
    return [int(number) for number in tokenizer.encode(text)[:longest]] or [tokenizer.padding]


def _text(found: Any) -> Any:
    """Return a body's text, also of JSON without the content type of it."""
    if isinstance(found, bytes | bytearray):
        try:
            found = found.decode()
        except UnicodeDecodeError as error:
            raise BadInputError("its text is not UTF-8") from error
    if isinstance(found, str) and found.lstrip().startswith("{"):
        with contextlib.suppress(BadInputError):
            content = as_json(found)
            return content.get("text", found)
    return found.get("text") if isinstance(found, dict) else found


def batch(texts: Sequence[Sequence[int]], padding: int) -> npt.NDArray[np.int64]:
    """Return texts as the rows of one array, filled up behind to the length of the longest."""
    filled = np.full((len(texts), max(map(len, texts))), padding, np.int64)
    for row, numbers in zip(filled, texts, strict=True):
        row[: len(numbers)] = numbers
    return filled


def labelled(scores: Mapping[str, float]) -> dict[str, Any]:
    """Return a text's answer: its best class and that one's score, and the scores of more."""
    label = next(iter(scores))
    return {"label": label, "score": scores[label], "scores": dict(scores)}
