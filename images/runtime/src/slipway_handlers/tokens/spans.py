"""Words of a text with their places, and the labels that a model gives them.

Places are counted in characters, as Python and Unicode count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from slipway_handlers import texts
from slipway_handlers.settings import OUTSIDE, TokenSettings

BEGINS, GOES_ON = ("B", "S"), ("I", "E")
"""Marks before a label, in IOB2 and in BIOES."""


@dataclass(frozen=True)
class Token:
    """A token's number, and where it begins and ends in its text."""

    number: int
    begin: int
    end: int


@dataclass(frozen=True)
class Words:
    """A request's text, and those of its tokens that the model is given."""

    text: str
    tokens: tuple[Token, ...]
    is_cut: bool = False


@dataclass(frozen=True)
class Tokenizer:
    """Yields a text's tokens, each as its number, its begin and its end; see `texts.Tokenizer`."""

    spans: Callable[[str], Iterator[tuple[int, int, int]]]
    padding: int = 0


def tokenizer(folder: Path, settings: TokenSettings) -> Tokenizer:
    """Return the tokenizer of an unpacked archive: the user's own, or else its vocabulary's.

    Raises ValueError or OSError where it has neither, or one that is none.
    """
    own, vocabulary = folder / texts.TOKENIZER, folder / texts.VOCABULARY
    if own.is_file():
        module = texts.own_module(own)
        if not callable(getattr(module, "encode_with_spans", None)):
            raise ValueError(f"{own.name} has no function encode_with_spans(text).")
        return Tokenizer(module.encode_with_spans, int(getattr(module, "PAD", 0)))
    if vocabulary.is_file():
        told = texts.Vocabulary.of(texts.tokens_of(vocabulary), settings.lowercase)
        return Tokenizer(told.words, told.padding)
    raise ValueError(
        f"The archive has neither {texts.VOCABULARY} nor {texts.TOKENIZER}: add package.extraFiles."
    )


def read(found: Any, tokenizer: Tokenizer, longest: int) -> Words:
    """Return the words of a body's text; raises BadInputError."""
    text = texts.given_text(found)
    some = islice(tokenizer.spans(text), longest + 1)
    tokens = tuple(Token(*map(int, span)) for span in some)
    return Words(text, tokens[:longest], len(tokens) > longest)


def numbers(batch: Sequence[Words], padding: int) -> Any:
    """Return the tokens of texts, int64 of shape (n, longest text), filled up behind."""
    return texts.batch(
        [[token.number for token in words.tokens] or [padding] for words in batch], padding
    )


def answer(
    words: Words, scores: Sequence[Mapping[str, float]], outside: str = OUTSIDE
) -> dict[str, Any]:
    """Return a text's tokens with the best label of each, and the entities that they make.

    ``scores`` has the best class of each token by its name; what follows them is padding's. Raises
    ValueError where it has fewer.
    """
    if len(scores) < len(words.tokens):
        raise ValueError(
            f"The model's output has {len(scores)} places for a text of {len(words.tokens)} tokens."
        )
    told = []
    for token, best in zip(words.tokens, scores, strict=False):
        label, score = next(iter(best.items()))
        told.append({**_place(words.text, token.begin, token.end), "label": label, "score": score})
    cut = {"truncated": True} if words.is_cut else {}
    return {"tokens": told, "entities": list(entities(words.text, told, outside)), **cut}


def _place(text: str, begin: int, end: int) -> dict[str, Any]:
    return {"text": text[begin:end], "start": begin, "end": end}


def entities(
    text: str, tokens: Sequence[Mapping[str, Any]], outside: str = OUTSIDE
) -> Iterator[dict[str, Any]]:
    """Yield runs of tokens of one kind; an entity's score is its tokens' mean.

    A label with B- or S- before it begins another one, with I- or E- goes on with one of its kind;
    without any of them it goes on too.
    """
    run: list[Mapping[str, Any]] = []
    kind = ""
    for token in tokens:
        mark, label = _split(str(token["label"]))
        is_outside = token["label"] == outside
        if run and (is_outside or mark in BEGINS or label != kind):
            yield _entity(text, run, kind)
            run = []
        if not is_outside:
            run.append(token)
            kind = label
    if run:
        yield _entity(text, run, kind)


def _split(label: str) -> tuple[str, str]:
    mark, dash, kind = label.partition("-")
    return (mark, kind) if dash and kind and mark in BEGINS + GOES_ON else ("", label)


def _entity(text: str, run: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    place = _place(text, run[0]["start"], run[-1]["end"])
    return {**place, "label": kind, "score": sum(each["score"] for each in run) / len(run)}
