from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers import texts
from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import TextSettings, TokenSettings
from slipway_handlers.tokens import spans

ANY = TextSettings.read({})
VOCABULARY = ["[PAD]", "[UNK]", "good", "bad", "!"]
KNOWN = texts.by_vocabulary(VOCABULARY, lowercase=True)


def test_words_and_signs_are_looked_up_and_the_rest_is_unknown() -> None:
    assert list(KNOWN.encode("Good, BAD!")) == [2, 1, 3, 4]
    assert list(texts.by_vocabulary(VOCABULARY, lowercase=False).encode("Good")) == [1]


def test_without_a_token_for_unknown_words_they_are_left_out() -> None:
    tokenizer = texts.by_vocabulary(["good", "bad"], lowercase=True)
    assert list(tokenizer.encode("not good")) == [0]
    assert texts.read("nothing known", tokenizer, 5) == [0]


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_a_token_that_ends_a_line_to_unicode_does_not_move_the_numbers_behind_it(
    tmp_path: Path, sign: str
) -> None:
    (tmp_path / "vocab.txt").write_text(f"[PAD]\n[UNK]\n{sign}\ngood\n", "utf-8")
    for encode in (texts.tokenizer(tmp_path, ANY).encode, words_of(tmp_path)):
        assert list(encode("good")) == [3]


def words_of(folder: Path) -> Callable[[str], Iterator[int]]:
    """Return the numbers that the handler of tokens gives to words."""
    made = spans.tokenizer(folder, TokenSettings())
    return lambda text: (number for number, _, _ in made.spans(text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_vocabulary_that_was_written_on_windows_is_the_same(tmp_path: Path, end: str) -> None:
    text = "\ufeff" + end.join(["[UNK]", "good", "bad", ""])
    (tmp_path / "vocab.txt").write_bytes(text.encode())
    assert list(texts.tokenizer(tmp_path, ANY).encode("good new bad")) == [1, 0, 2]


def test_an_empty_vocabulary_is_none(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        texts.tokenizer(tmp_path, ANY)


def test_of_two_equal_lines_the_first_counts() -> None:
    assert list(texts.by_vocabulary(["a", "b", "a"], lowercase=True).encode("a")) == [0]


@pytest.mark.parametrize("found", ["good bad", b"good bad", bytearray(b"good bad")])
def test_a_text_is_read_from_bytes_too(found: Any) -> None:
    assert texts.read(found, KNOWN, 9) == texts.read({"text": "good bad"}, KNOWN, 9) == [2, 3]


def test_json_without_its_content_type_is_read_as_json_and_other_braces_as_a_text() -> None:
    assert texts.read(b' {"text": "good"}', KNOWN, 9) == [2]
    assert texts.read("{good} bad", KNOWN, 9) == [1, 2, 1, 3]
    assert texts.read('{"a": 1}', KNOWN, 9) == list(KNOWN.encode('{"a": 1}'))


def test_a_long_text_is_cut() -> None:
    assert texts.read("good " * 9, KNOWN, 4) == [2] * 4


def test_what_is_behind_a_cut_is_not_looked_at() -> None:
    def encode(text: str) -> Iterator[int]:
        yield from map(ord, text[:4])
        raise AssertionError("it was looked at")

    assert texts.read("abcdefgh", texts.Tokenizer(encode), 4) == list(map(ord, "abcd"))


def test_a_byte_order_mark_is_no_part_of_a_text() -> None:
    for found in ("\ufeffgood", "\ufeffgood".encode(), '\ufeff{"text": "good"}'):
        assert texts.read(found, KNOWN, 9) == [2]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ("", "not empty"),
        (" \n", "not empty"),
        (b"\xff", "not UTF-8"),
        ({}, "not empty"),
        ({"text": 1}, "not empty"),
        ({"text": "good \ud800"}, "half a character of Unicode"),
        ([], "not empty"),
        (None, "not empty"),
    ],
)
def test_what_is_no_text_is_the_clients_mistake(found: Any, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        texts.read(found, KNOWN, 9)


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=5), min_size=1, max_size=5))
def test_shorter_texts_are_filled_up_behind(batch: list[list[int]]) -> None:
    rows = texts.batch(batch, 0).tolist()
    assert [[number for number in row if number] for row in rows] == batch
    assert {len(row) for row in rows} == {max(map(len, batch))}


def test_an_archives_own_tokenizer_is_taken_before_its_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("good\n")
    assert list(texts.tokenizer(tmp_path, ANY).encode("good")) == [0]
    (tmp_path / "tokenizer.py").write_text(
        "from dataclasses import dataclass\nPAD = 7\n@dataclass\nclass Rule:\n    start: int\n"
        "def encode(text): return [Rule(ord(c)).start for c in text]\n"
    )
    found = texts.tokenizer(tmp_path, ANY)
    assert (found.padding, found.encode("a")) == (7, [97])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "neither vocab.txt nor tokenizer.py"),
        ({"vocab.txt": ""}, "is empty"),
        ({"tokenizer.py": "x = 1"}, "no function encode"),
    ],
)
def test_an_archive_without_a_tokenizer_says_so(
    tmp_path: Path, files: dict[str, str], why: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=why):
        texts.tokenizer(tmp_path, ANY)


def test_an_answer_has_the_best_label_and_its_score() -> None:
    assert texts.labelled({"good": 0.9, "bad": 0.1}) == {
        "label": "good",
        "score": 0.9,
        "scores": {"good": 0.9, "bad": 0.1},
    }
