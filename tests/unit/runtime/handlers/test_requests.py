import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers.requests import BadInputError, answer_all, as_json, body


class Context:
    """Of TorchServe's context what sets the code of one answer."""

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}

    def set_response_status(self, code: int, phrase: str, idx: int) -> None:
        self.codes[idx] = code


def positive(found: Any) -> int:
    if not isinstance(found, int) or found < 0:
        raise BadInputError(f"{found!r} is no number from 0")
    return found


@given(st.lists(st.integers(-3, 3), max_size=8))
def test_whoever_is_refused_gets_a_400_alone_and_the_others_their_own_answers(
    batch: list[int],
) -> None:
    context, computed = Context(), []

    def double(values: Sequence[int]) -> list[int]:
        computed.append(list(values))
        return [2 * value for value in values]

    found = answer_all([{"body": value} for value in batch], context, positive, double)
    assert [one for one in found if isinstance(one, int)] == [2 * n for n in batch if n >= 0]
    refused = {place for place, value in enumerate(batch) if value < 0}
    assert context.codes == dict.fromkeys(refused, 400)
    for place in refused:
        assert found[place] == {
            "code": 400,
            "type": "BadRequest",
            "message": f"The input is not valid: {batch[place]} is no number from 0",
        }
    assert computed == ([[n for n in batch if n >= 0]] if len(refused) < len(batch) else [])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_what_can_be_refused_only_once_it_is_computed_is_refused_alone(batch: list[int]) -> None:
    context = Context()

    def double(values: Sequence[int]) -> list[int]:
        if 5 in values:
            raise BadInputError("its answer is too long")
        return [2 * value for value in values]

    found = answer_all([{"body": value} for value in batch], context, positive, double)
    assert [one for one in found if isinstance(one, int)] == [2 * n for n in batch if n < 5]
    assert context.codes == {place: 400 for place, n in enumerate(batch) if n == 5}


def test_a_body_is_read_from_where_torchserve_puts_it() -> None:
    assert body({"body": []}) == []
    assert body({"data": b"x"}) == b"x"
    assert body({"picture": b"a form's only part"}) == b"a form's only part"


@pytest.mark.parametrize("request_", [{}, {"one": b"1", "two": b"2"}])
def test_a_form_of_several_parts_or_none_is_the_clients_mistake(request_: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=f"it has {len(request_)} parts"):
        body(request_)


@given(st.binary(max_size=20) | st.text(max_size=20))
def test_a_body_is_json_or_the_clients_mistake_whatever_it_is(content: bytes | str) -> None:
    with contextlib.suppress(BadInputError):
        as_json(content)


def test_deep_json_is_the_clients_mistake_too() -> None:
    with pytest.raises(BadInputError):
        as_json("[" * 100_000)
