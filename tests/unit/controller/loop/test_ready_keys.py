"""Whose turn it is: the namespaces go round, so that nobody waits for another's many objects."""

from operator import itemgetter

from slipway.controller.loop.ready_keys import ReadyKeys

Key = tuple[str, int]


def test_five_thousand_changes_of_one_namespace_delay_nobody_elses() -> None:
    ready: ReadyKeys[Key] = ReadyKeys(itemgetter(0))
    for number in range(5000):
        ready.put(("flood", number), 0.0, background=False)
        ready.put(("flood", -number - 1), 0.0, background=True)
    ready.put(("victim", 1), 0.0, background=False)
    ready.put(("victim", 2), 0.0, background=True)
    ready.hurry(("victim", 2))
    first = [ready.take()[0] for _ in range(4)]
    assert {("victim", 1), ("victim", 2)} < set(first)


def test_the_background_goes_round_as_well() -> None:
    ready: ReadyKeys[Key] = ReadyKeys(itemgetter(0))
    for number in range(100):
        ready.put(("flood", number), 0.0, background=True)
    ready.put(("victim", 0), 0.0, background=True)
    assert ("victim", 0) in [ready.take()[0] for _ in range(2)]
