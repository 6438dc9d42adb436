"""Lanes: each key comes once, a lane keeps its order, and no lane waits for another's many."""

from collections import Counter
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.lanes import Lanes

Key = tuple[str, int]
LANES = st.lists(st.sampled_from("abcd"), max_size=60)


def filled(lanes: list[str]) -> Lanes[Key, float]:
    keys: Lanes[Key, float] = Lanes(itemgetter(0))
    for number, lane in enumerate(lanes):
        keys.put((lane, number), float(number))
    return keys


@given(LANES, st.sets(st.integers(0, 59)))
def test_each_key_comes_once_and_a_lane_keeps_its_order(lanes: list[str], drops: set[int]) -> None:
    keys = filled(lanes)
    dropped = {(lane, number) for number, lane in enumerate(lanes) if number in drops}
    for key in dropped:
        assert keys.drop(key) == key[1]
        assert keys.drop(key) is None
        assert key not in keys
    taken = [keys.take() for _ in range(len(keys))]
    assert len(keys) == 0
    assert {key for key, _ in taken} == set(enumerate_keys(lanes)) - dropped
    for name in set(lanes):
        own = [number for (lane, number), _ in taken if lane == name]
        assert own == sorted(own)
    assert all(key[1] == since for key, since in taken)


def enumerate_keys(lanes: list[str]) -> list[Key]:
    return [(lane, number) for number, lane in enumerate(lanes)]


@given(LANES, st.data())
def test_between_two_keys_of_a_lane_every_lane_that_waits_has_its_turn(
    lanes: list[str], data: st.DataObject
) -> None:
    keys, left = filled(lanes), Counter(lanes)
    passed_over: Counter[str] = Counter()
    number = len(lanes)
    while keys:
        if data.draw(st.integers(0, 3)) == 0 and number < 100:
            lane = data.draw(st.sampled_from("abcd"))
            keys.put((lane, number), 0.0)
            left[lane] += 1
            number += 1
        (lane, _), _ = keys.take()
        left[lane] -= 1
        passed_over[lane] = 0
        for other in left:
            passed_over[other] += bool(left[other]) and other != lane
        assert max(passed_over.values()) <= 3, "a lane waits longer than one turn of all others"


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.sampled_from("abcd"))
def test_whoever_has_most_makes_room(lanes: list[str], newcomer: str) -> None:
    keys, before = filled(lanes), Counter(lanes)
    made = keys.make_room((newcomer, 99))
    if before[newcomer] == max(before.values()):
        assert made is None
        assert len(keys) == len(lanes)
    else:
        assert made is not None
        lane, number = made[0]
        assert before[lane] == max(before.values())
        assert number == max(n for n, name in enumerate(lanes) if name == lane)
        assert made[0] not in keys
        assert len(keys) == len(lanes) - 1
    assert len([keys.take() for _ in range(len(keys))]) == len(lanes) - (made is not None)


@given(LANES, st.sets(st.sampled_from("abcd")))
def test_a_lane_that_is_closed_gives_nothing_and_loses_nothing(
    lanes: list[str], closed: set[str]
) -> None:
    keys = filled(lanes)
    left = [lane for lane in lanes if lane not in closed]
    taken = [keys.take(lambda lane: lane not in closed)[0][0] for _ in left]
    assert sorted(taken) == sorted(left)
    with pytest.raises(KeyError):
        keys.take(lambda lane: lane not in closed)
    assert sorted(keys.take()[0][0] for _ in range(len(keys))) == sorted(
        lane for lane in lanes if lane in closed
    )
