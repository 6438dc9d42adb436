"""Lanes: each key comes once, a lane keeps its order, and no lane waits for another's many."""

import itertools
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.lanes import Lanes, Rounds

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


Found = tuple[str, int]


class Going:
    """Rounds of lanes that have so many items each; None stands between any two."""

    def __init__(self, period: float) -> None:
        self.sizes: dict[str, int] = {}
        self.begun: dict[str, list[float]] = {}
        self.now = 0.0
        self._rounds: Rounds[str, Found] = Rounds(self._begin, period)

    def _begin(self, lane: str) -> Iterator[Found | None]:
        self.begun.setdefault(lane, []).append(self.now)
        for number in range(self.sizes[lane]):
            yield None
            yield lane, number

    def step(self) -> Found | None:
        *before, last = [None, *self._rounds.step(self.sizes, self.now)]
        assert not any(before), "a step has one item at most, and that is its end"
        return last


SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5), max_size=6)


@given(SIZES, st.lists(st.sets(st.sampled_from("abcdef")), min_size=1, max_size=4))
def test_each_lanes_next_item_comes_within_as_many_steps_as_there_are_lanes(
    sizes: dict[str, int], times: list[set[str]]
) -> None:
    going, most = Going(period=0.0), 0
    waited: Counter[str] = Counter()
    for there in times:
        going.sizes = {lane: size for lane, size in sizes.items() if lane in there}
        waiting = {lane for lane, size in going.sizes.items() if size}
        most = max(most, len(going.sizes))
        for _ in range(12):
            found = going.step()
            assert (found is not None) == bool(waiting)
            asked = {found[0]} if found else set()
            assert asked <= waiting
            waited = Counter({lane: waited[lane] + 1 for lane in waiting - asked})
            assert all(steps < most for steps in waited.values())


@given(SIZES, st.integers(1, 12), st.lists(st.integers(0, 3), max_size=60))
def test_each_lane_goes_round_its_own_items_in_order_and_not_before_its_period_is_over(
    sizes: dict[str, int], period: int, pauses: list[int]
) -> None:
    going, found = Going(period), list[Found]()
    going.sizes = sizes
    for pause in pauses:
        going.now += pause
        if (one := going.step()) is not None:
            found.append(one)
    for lane, size in sizes.items():
        own = [number for name, number in found if name == lane]
        assert own == [index % max(size, 1) for index in range(len(own))]
        begun = going.begun.get(lane, [])
        assert all(later - earlier >= period for earlier, later in itertools.pairwise(begun))
