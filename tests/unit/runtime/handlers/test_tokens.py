from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers import texts
from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import TokenSettings
from slipway_handlers.tokens import spans

VOCABULARY = texts.Vocabulary.of(["[PAD]", "[UNK]", "ann", "lives", "in", "rome", "."], True)
KNOWN = spans.Tokenizer(VOCABULARY.words, VOCABULARY.padding)
TEXT = "Ann Lee lives in Rome."


def scored(*labels: str) -> list[dict[str, float]]:
    return [{label: 0.5} for label in labels]


def test_tokens_are_told_with_their_places_and_labels() -> None:
    words = spans.read(TEXT, KNOWN, 9)
    assert spans.numbers([words], 0).tolist() == [[2, 1, 3, 4, 5, 6]]
    found = spans.answer(words, scored("B-PER", "I-PER", "O", "O", "B-LOC", "O", "padding"))
    assert found["tokens"][1] == {
        "text": "Lee",
        "start": 4,
        "end": 7,
        "label": "I-PER",
        "score": 0.5,
    }
    assert found["entities"] == [
        {"text": "Ann Lee", "start": 0, "end": 7, "label": "PER", "score": 0.5},
        {"text": "Rome", "start": 17, "end": 21, "label": "LOC", "score": 0.5},
    ]
    assert "truncated" not in found


def test_a_long_text_is_cut_and_the_answer_says_so() -> None:
    words = spans.read(TEXT, KNOWN, 2)
    found = spans.answer(words, scored("B-PER", "I-PER"))
    assert [each["text"] for each in found["tokens"]] == ["Ann", "Lee"]
    assert found["truncated"] is True


def test_a_model_that_leaves_words_out_is_told_so() -> None:
    words = spans.read(TEXT, KNOWN, 9)
    with pytest.raises(ValueError, match="has 2 places for a text of 6 tokens"):
        spans.answer(words, scored("B-PER", "I-PER"))


def test_what_is_behind_a_cut_is_not_looked_at() -> None:
    def encode(text: str) -> Iterator[tuple[int, int, int]]:
        yield from ((ord(sign), place, place + 1) for place, sign in enumerate(text[:4]))
        raise AssertionError("it was looked at")

    words = spans.read("abcdefgh", spans.Tokenizer(encode), 3)
    assert (len(words.tokens), words.is_cut) == (3, True)


@pytest.mark.parametrize(
    ("labels", "runs"),
    [
        (["B-A", "I-A", "B-A"], [("A", 2), ("A", 1)]),
        (["I-A", "I-B"], [("A", 1), ("B", 1)]),
        (["S-A", "B-A", "E-A"], [("A", 1), ("A", 2)]),
        (["A", "A", "O", "A"], [("A", 2), ("A", 1)]),
        (["O", "O"], []),
        (["B-", "-A", "X-Y"], [("B-", 1), ("-A", 1), ("X-Y", 1)]),
    ],
)
def test_entities_are_runs_of_one_kind(labels: list[str], runs: list[tuple[str, int]]) -> None:
    text = " ".join("abcdef"[: len(labels)])
    tokens = [
        {"start": 2 * place, "end": 2 * place + 1, "label": label, "score": 1.0}
        for place, label in enumerate(labels)
    ]
    found = list(spans.entities(text, tokens))
    assert [(each["label"], len(each["text"].split())) for each in found] == runs


LABELS = st.sampled_from(["O", "B-A", "I-A", "E-A", "S-B", "I-B", "C"])


@given(st.text(max_size=60), st.integers(1, 20), st.data())
def test_whatever_a_text_is_its_tokens_and_entities_are_parts_of_it(
    text: str, longest: int, data: st.DataObject
) -> None:
    try:
        words = spans.read(text, KNOWN, longest)
    except BadInputError:
        return
    count = len(words.tokens)
    labels = data.draw(st.lists(LABELS, min_size=count, max_size=count))
    found = spans.answer(words, scored(*labels))
    places = [(each["start"], each["end"]) for each in found["tokens"]]
    assert places == sorted(places)
    assert len(places) <= longest
    for each in (*found["tokens"], *found["entities"]):
        assert words.text[each["start"] : each["end"]] == each["text"] != ""
    assert bool(found["entities"]) == any(each["label"] != "O" for each in found["tokens"])


def test_a_text_without_a_known_word_is_padding_alone() -> None:
    tokenizer = spans.Tokenizer(texts.Vocabulary.of(["good"], True).words, 7)
    words = spans.read("nothing known", tokenizer, 5)
    assert spans.numbers([words], 7).tolist() == [[7]]
    assert spans.answer(words, scored("B-A")) == {"tokens": [], "entities": []}


def test_an_archives_own_tokenizer_is_taken_before_its_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\n")
    assert spans.read("a", spans.tokenizer(tmp_path, TokenSettings()), 9).tokens[0].number == 0
    (tmp_path / "tokenizer.py").write_text(
        "PAD = 7\ndef encode_with_spans(text): return [(ord(text[0]), 0, 1)]\n"
    )
    found = spans.tokenizer(tmp_path, TokenSettings())
    assert (found.padding, list(found.spans("a"))) == (7, [(97, 0, 1)])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "neither vocab.txt nor tokenizer.py"),
        ({"vocab.txt": ""}, "is empty"),
        ({"tokenizer.py": "def encode(text): return [1]"}, "no function encode_with_spans"),
    ],
)
def test_an_archive_without_a_tokenizer_says_so(
    tmp_path: Path, files: dict[str, Any], why: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=why):
        spans.tokenizer(tmp_path, TokenSettings())
