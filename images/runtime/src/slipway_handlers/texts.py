"""Texts as a model takes them: numbers of tokens, by a vocabulary or by the user's own tokenizer.

A body is a text, or ``{"text": TEXT}``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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
MARK = "\ufeff"
"""The byte order mark, which some programs write before a text; it is no part of it."""
UNKNOWN = ("[UNK]", "<unk>")
PADDING = ("[PAD]", "<pad>")
_WORDS = re.compile(r"\w+|[^\w\s]")
"""A word, or a sign that is none."""


@dataclass(frozen=True)
class Tokenizer:
    """Makes numbers of a text; ``padding`` is the number that fills the shorter ones up.

    ``encode`` may give them one by one: of a text that is cut the rest is not looked at.
    """

    encode: Callable[[str], Iterable[int]]
    padding: int = 0


def tokenizer(folder: Path, settings: TextSettings) -> Tokenizer:
    """Return the tokenizer of an unpacked archive: the user's own, or else its vocabulary's.

    Raises ValueError or OSError where it has neither, or one that is none.
    """
    if (folder / TOKENIZER).is_file():
        return _own(folder / TOKENIZER)
    if (folder / VOCABULARY).is_file():
        return by_vocabulary(tokens_of(folder / VOCABULARY), settings.lowercase)
    raise ValueError(
        f"The archive has neither {VOCABULARY} nor {TOKENIZER}: add package.extraFiles."
    )


def tokens_of(path: Path) -> list[str]:
    """Return a vocabulary's lines; raises OSError, or ValueError for what is no UTF-8.

    They end where a file's lines do, and not at all that ends a line to Unicode, such as U+2028 or
    U+0085: these may be tokens, and each line too many would move all numbers behind it.
    """
    text = path.read_text("utf-8-sig")
    return text.removesuffix("\n").split("\n") if text else []


def _own(path: Path) -> Tokenizer:
    module = own_module(path)
    if not callable(getattr(module, "encode", None)):
        raise ValueError(f"{path.name} has no function encode(text).")
    return Tokenizer(module.encode, int(getattr(module, "PAD", 0)))


def own_module(path: Path) -> Any:
    """Return the module of an archive's own tokenizer; raises ValueError, or what it raises."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path.name} cannot be imported.")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of words and signs; ``unknown`` is that of all others, None to leave them out."""

    numbers: Mapping[str, int]
    unknown: int | None
    padding: int
    lowercase: bool

    @classmethod
    def of(cls, tokens: Sequence[str], lowercase: bool) -> Vocabulary:
        """Return the vocabulary of a file's lines; raises ValueError for an empty one."""
        numbers = {token.strip(): number for number, token in reversed(list(enumerate(tokens)))}
        if not numbers:
            raise ValueError(f"{VOCABULARY} is empty.")
        unknown = next((numbers[token] for token in UNKNOWN if token in numbers), None)
        padding = next((numbers[token] for token in PADDING if token in numbers), 0)
        return cls(numbers, unknown, padding, lowercase)

    def words(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Yield the number of each word and sign of a text that has one, its begin and its end."""
        for word in _WORDS.finditer(text):
            written = word.group().lower() if self.lowercase else word.group()
            number = self.numbers.get(written, self.unknown)
            if number is not None:
                yield number, word.start(), word.end()


def by_vocabulary(tokens: Sequence[str], lowercase: bool) -> Tokenizer:
    """Return a tokenizer that looks up each word and each other sign.

    A word that the vocabulary lacks gets the number of its token for unknown ones, or is left out
    where there is none. Raises ValueError for an empty vocabulary.
    """
    vocabulary = Vocabulary.of(tokens, lowercase)
    return Tokenizer(lambda text: (each[0] for each in vocabulary.words(text)), vocabulary.padding)


def read(found: Any, tokenizer: Tokenizer, longest: int) -> list[int]:
    """Return the numbers of a body's text, at least one; raises BadInputError."""
    text = given_text(found)
    return list(map(int, islice(tokenizer.encode(text), longest))) or [tokenizer.padding]


def given_text(found: Any) -> str:
    """Return a body's text, which is not empty; raises BadInputError."""
    text = text_of(found)
    if not isinstance(text, str) or not text.strip():
        raise BadInputError('send a text that is not empty, or {"text": "..."}')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("its text has half a character of Unicode") from error
    return text


def text_of(found: Any, field: str = "text") -> Any:
    """Return a body's text, also of JSON without the content type of it; raises BadInputError.

    It is None, or of another type, where the body has none.
    """
    if isinstance(found, bytes | bytearray):
        try:
            found = found.decode()
        except UnicodeDecodeError as error:
            raise BadInputError("its text is not UTF-8") from error
    if isinstance(found, str):
        found = found.removeprefix(MARK)
    if isinstance(found, str) and found.lstrip().startswith("{"):
        with contextlib.suppress(BadInputError):
            content = as_json(found)
            return content.get(field, found)
    return found.get(field) if isinstance(found, dict) else found


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
