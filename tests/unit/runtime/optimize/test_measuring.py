"""How near answers are, and how long they take in turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.package.optimize import closeness, turns


def rows(*values: list[float]) -> list[list[np.ndarray]]:
    return [[np.array([row], np.float32)] for row in values]


def test_a_distance_is_a_share_of_the_greatest_answer() -> None:
    assert closeness.difference(rows([1, 2], [3, 4.1]), rows([1, 2], [3, 4])) == pytest.approx(
        0.025
    )


def test_each_output_has_a_scale_of_its_own() -> None:
    expected = [[np.array([1000.0]), np.array([1.0])]]
    told = [[np.array([1000.0]), np.array([1.5])]]
    assert closeness.difference(told, expected) == pytest.approx(0.5)


def test_answers_that_should_be_zero_have_no_scale() -> None:
    assert closeness.difference(rows([0]), rows([0])) == 0
    assert closeness.difference(rows([1e-9]), rows([0])) > 1


def test_what_the_float_model_does_not_know_either_is_no_distance() -> None:
    assert closeness.difference(rows([np.nan, 1]), rows([np.nan, 1])) == 0
    with pytest.raises(ValueError, match="no finite number"):
        closeness.difference(rows([np.nan, 1]), rows([1, 1]))


def test_answers_of_another_shape_are_none() -> None:
    with pytest.raises(ValueError, match="other shapes"):
        closeness.agreement(rows([1, 2]), rows([1, 2, 3]))


def test_classes_agree_by_the_best_one_of_each_position() -> None:
    told = rows([0.1, 0.9], [0.9, 0.1], [0.4, 0.6], [0.6, 0.4])
    expected = rows([0.4, 0.6], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4])
    assert closeness.agreement(told, expected) == 0.75
    tokens = [[np.array([[[0.0, 1.0], [1.0, 0.0]]])]]
    assert closeness.agreement([[np.array([[[0.0, 1.0], [0.0, 1.0]]])]], tokens) == 0.5


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=2), min_size=1))
def test_a_model_agrees_with_itself(answers: list[list[float]]) -> None:
    assert closeness.difference(rows(*answers), rows(*answers)) == 0
    assert closeness.agreement(rows(*answers), rows(*answers)) == 1


class Clock:
    """A clock that the models move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def model(self, *seconds: float) -> turns.Model:
        """Return a model that takes so long, one after the other, and again."""
        calls = iter(range(10**9))

        def model(*_: object) -> None:
            self.now += seconds[next(calls) % len(seconds)]

        return model


def test_times_are_medians_which_a_slow_call_does_not_move() -> None:
    clock = Clock()
    models = {"a": clock.model(0.001, 0.001, 0.1), "b": clock.model(0.002)}
    found = turns.milliseconds(models, [(1,)] * 9, clock=clock)
    assert found == {"a": pytest.approx(1.0), "b": pytest.approx(2.0)}


def test_a_turn_of_a_slow_model_ends_after_its_time() -> None:
    clock = Clock()
    turns.milliseconds({"slow": clock.model(10.0)}, [(1,)] * 9, turns=2, clock=clock)
    assert clock.now == 30.0


def test_models_are_asked_in_turns() -> None:
    asked: list[str] = []
    models = {name: lambda _, name=name: asked.append(name) for name in "ab"}
    turns.milliseconds(models, [(1,)], turns=3)
    assert "".join(asked) == "ab" + "abbaab"
