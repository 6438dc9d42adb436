import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers.requests import BadInputError
from slipway_handlers.sequences import letters
from slipway_handlers.sequences.settings import ALPHABETS, SequenceSettings
from slipway_handlers.settings import SettingsError

DNA = SequenceSettings.read({})


def encoded(*sequences: str, **settings: Any) -> Any:
    """Return what a model gets of sequences."""
    told = SequenceSettings.read(settings)
    return letters.encode([letters.read(each, told) for each in sequences], told)


@pytest.mark.parametrize(
    "found",
    [
        "ACGT",
        b"acgt",
        {"sequence": " AC GT "},
        b'{"sequence": "ACGT"}',
        ">chr1 a name of any kind\nAC\nGT\n",
        "AC\r\nGT",
        "\ufeff>chr1\nACGT",
        "\ufeffACGT".encode(),
    ],
)
def test_a_sequence_is_read_in_lines_in_fasta_and_in_json(found: Any) -> None:
    assert letters.read(found, DNA).tolist() == [0, 1, 2, 3]


def test_one_hot_rows_are_filled_up_behind_with_zeros() -> None:
    found = encoded("GA", "T")
    assert found.dtype == np.float32
    assert found.shape == (2, 4, 2)
    assert found[0].tolist() == [[0, 1], [0, 0], [1, 0], [0, 0]]
    assert found[1].tolist() == [[0, 0], [0, 0], [0, 0], [1, 0]]


def test_letters_that_are_unknown_are_refused_or_kept_as_none() -> None:
    with pytest.raises(BadInputError, match="letter 2 of its sequence is 'N', and not one of ACGT"):
        encoded("ANG")
    assert encoded("ANG", unknown="keep")[0, :, 1].tolist() == [0, 0, 0, 0]
    assert encoded("ANGT", unknown="keep", encoding="kmers", k=2).tolist() == [[1, 1, 2 + 11]]
    counts = encoded("ANGT", unknown="keep", encoding="counts", k=2)
    assert counts.sum() == counts[0, 11] == 1


@given(
    st.text("ACGT", min_size=1, max_size=40),
    st.integers(1, 4),
    st.sampled_from(["kmers", "counts"]),
)
def test_k_mers_are_those_that_a_reader_counts_by_hand(text: str, k: int, encoding: str) -> None:
    if len(text) < k:
        with pytest.raises(BadInputError, match=f"and not from {k} to 10000"):
            encoded(text, encoding=encoding, k=k)
        return
    words = ["".join(word) for word in itertools.product("ACGT", repeat=k)]
    windows = [text[place : place + k] for place in range(len(text) - k + 1)]
    found = encoded(text, encoding=encoding, k=k)
    if encoding == "kmers":
        assert [words[number - letters.FIRST_WORD] for number in found[0]] == windows
    else:
        assert found[0].tolist() == [windows.count(word) for word in words]


def test_shorter_rows_of_k_mers_are_filled_up_with_zeros() -> None:
    assert encoded("AAA", "AA", encoding="kmers", k=2).tolist() == [[2, 2], [2, 0]]


@given(
    st.text(max_size=20) | st.binary(max_size=20) | st.none() | st.integers() | st.lists(st.text()),
    st.sampled_from(["onehot", "kmers", "counts"]),
    st.sampled_from(["refuse", "keep"]),
    st.sampled_from(sorted(ALPHABETS)),
)
def test_whatever_is_sent_is_a_sequence_or_the_clients_mistake(
    found: Any, encoding: str, unknown: str, alphabet: str
) -> None:
    told = SequenceSettings.read(
        {"encoding": encoding, "unknown": unknown, "alphabet": alphabet, "k": 2}
    )
    try:
        numbers = letters.read(found, told)
    except BadInputError:
        return
    assert set(numbers.tolist()) <= {letters.UNKNOWN, *range(len(told.letters))}
    assert len(letters.encode([numbers], told)) == 1


@pytest.mark.parametrize(
    ("found", "settings", "why"),
    [
        ("", {}, "send a sequence"),
        (">only a name", {}, "has 0 letters, and not from 1 to 10000"),
        ({"text": "ACGT"}, {}, "send a sequence"),
        (b"\xff", {}, "not UTF-8"),
        ("ACG", {"length": 4}, "has 3 letters, and not 4"),
        ("ACGTA", {"maxLength": 4}, "has 5 letters, and not from 1 to 4"),
        (">a\nAC\n>b\nGT", {}, "it has several sequences: send one in a request"),
        (">a\nAC\n>b\nGT", {"unknown": "keep"}, "it has several sequences"),
        ("AC>GT", {}, "letter 3 of its sequence is '>'"),
        ("\N{LATIN SMALL LETTER SHARP S}", {"alphabet": "protein"}, r"letter 1 .* is '\\xdf'"),
        ("A\N{LATIN SMALL LIGATURE FL}", {"alphabet": "protein"}, r"letter 2 .* is '\\ufb02'"),
        ("\N{LATIN SMALL LETTER DOTLESS I}", {"alphabet": "protein"}, r"letter 1 .* is '\\u0131'"),
        ("ACGU", {}, "is 'U'"),
        ("ACGT", {"alphabet": "rna"}, "is 'T', and not one of ACGU"),
        ("AB", {"alphabet": "protein"}, "is 'B'"),
    ],
)
def test_what_is_no_sequence_is_refused_by_its_letter_or_length(
    found: Any, settings: Any, why: str
) -> None:
    with pytest.raises(BadInputError, match=why):
        letters.read(found, SequenceSettings.read(settings))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"alphabet": "xna"}, "alphabet: write one of dna, rna, protein"),
        ({"alphabet": "protein", "encoding": "counts", "k": 5}, "20 letters make too many"),
        ({"encoding": "kmers", "k": 4, "length": 3}, "length: write k, 4, or more"),
        ({"encoding": "kmers", "k": 4, "maxLength": 3}, "maxLength: write k, 4, or more"),
        ({"k": 0}, "k: write a number from 1 to 10"),
        ({"unknown": "guess"}, "unknown: write one of refuse, keep"),
        ({"letters": "AB"}, "no setting letters"),
    ],
)
def test_settings_that_are_none_are_refused_by_name(settings: Any, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        SequenceSettings.read(settings)
