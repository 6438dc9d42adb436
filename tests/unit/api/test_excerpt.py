"""Excerpts of foreign text: short, printable, one line."""

from hypothesis import given
from hypothesis import strategies as st

from slipway.api.excerpt import excerpt


@given(st.text(), st.integers(4, 64))
def test_an_excerpt_of_any_text_is_one_short_printable_line(text: str, longest: int) -> None:
    found = excerpt(text, longest)
    assert len(found) <= longest
    assert found.isprintable()
    assert found.encode().decode() == found


@given(st.text(alphabet=st.characters(categories=("L", "N", "P")), max_size=64))
def test_short_printable_text_stays_as_it_is(text: str) -> None:
    assert excerpt(text, 64) == text


def test_what_is_cut_or_cannot_be_printed_is_seen() -> None:
    assert excerpt("a\r\n\x1b[31mb\u202e\ud800c", 64) == "a [31mb c"
    assert excerpt("word " * 100, 16) == "word word wor..."
