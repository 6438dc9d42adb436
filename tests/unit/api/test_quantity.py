"""Quantities are numbers as Kubernetes has them, whatever somebody writes."""

import time

import pytest

from slipway.api.fields.quantity import parse_quantity

MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("1e999999", MOST), ("-1e999999", -MOST), ("1e9999999", MOST), ("8Ei", MOST)),
        *(("1e99999999999999999999999", MOST), ("1e-9999999999999999999999", 0)),
        *(("1e-999999", 0), ("0e999999999999", 0), ("9" * 100_000, MOST)),
        *(("2Gi", 2 << 30), ("2500m", 2), ("1e3", 1000)),
    ],
)
def test_a_number_is_bounded_and_soon_written_out(text: str, number: int) -> None:
    begun = time.thread_time()
    found = parse_quantity(text)
    assert found is not None
    assert int(found) == number
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize("text", [".", "+.", "1..2", "1.2.3", "", "-", "Gi", "1Ki2"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_quantity(text) is None
