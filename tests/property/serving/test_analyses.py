"""Analyses over generated traffic, with pods that come, go, restart and fall silent."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.controller.readers.rollout_traffic import add_sample, prune
from slipway.serving.analysis.judgment import evaluate, moment_text, needs_traffic
from slipway.serving.analysis.traffic import Counters, PodSample, Reading, Sample, Traffic

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "seconds": st.integers(1, 90),
            "pod": st.sampled_from(["a", "b", "s"]),
            "requests": st.integers(0, 200),
            "errors": st.integers(0, 20),
            "what": st.sampled_from(["answers", "restarts", "silent", "forgotten"]),
        }
    ),
    max_size=40,
)
SPECS = st.builds(
    lambda **fields: Analysis.model_validate(
        {
            "metrics": [
                {"name": "s", "successRate": {}, "successCondition": "result >= 0.9"},
            ],
            "interval": "60s",
            **fields,
        }
    ),
    count=st.integers(1, 3),
    failureLimit=st.integers(0, 2),
    inconclusiveLimit=st.integers(0, 2),
    minSamples=st.integers(1, 100),
)


CONDITIONS = st.one_of(
    st.builds("result {} 0.{:03d}".format, st.sampled_from((">", ">=")), st.integers(500, 999)),
    st.sampled_from(
        ("result == 1", "result > 0.9 && result != 0.95", "result < 0.9", "result <= 0.2")
    ),
)


class World:
    """Pods that count what they answer, and an operator that looks at them."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.counts = {"a": (0, 0), "b": (0, 0), "s": (0, 0)}
        self.truth = 0
        self.samples: list[Sample] = []

    def happen(self, event: Mapping[str, object]) -> None:
        pod, what = str(event["pod"]), event["what"]
        requests = int(str(event["requests"]))
        errors = min(requests, int(str(event["errors"])))
        if what == "restarts":
            self.counts[pod] = (0, 0)
        if what == "forgotten":
            self.samples.clear()
        before = self.counts[pod]
        self.counts[pod] = (before[0] + requests, before[1] + errors)
        self.truth += requests if pod != "s" else 0
        self.now += timedelta(seconds=int(str(event["seconds"])))

    def look(self, state: AnalysisState, silent: str) -> Traffic:
        revisions = {"a": "new", "b": "new", "s": "old"}
        pods = {
            uid: PodSample(revisions[uid], Counters(*counts))
            for uid, counts in self.counts.items()
            if uid != silent
        }
        started = dict.fromkeys(pods, BEGIN - timedelta(days=1))
        self.samples = add_sample(self.samples, Sample(self.now, pods), started)
        start = state.window_start
        self.samples = prune(self.samples, [datetime.fromisoformat(start)] if start else [])
        return Traffic("new", "old", tuple(self.samples))


@given(SPECS, EVENTS)
def test_whatever_happens_a_verdict_rests_on_requests_that_were_answered(
    spec: Analysis, events: list[dict[str, object]]
) -> None:
    world, state = World(), AnalysisState()
    for event in events:
        world.happen(event)
        silent = str(event["pod"]) if event["what"] == "silent" else ""
        before = state
        state = evaluate(spec, before, world.look(before, silent), world.now)
        assert 0 <= state.requests <= world.truth
        if not needs_traffic(before):
            assert state == before
        if state.phase in ("Successful", "Failed"):
            assert state.requests >= spec.min_samples
        assert (state.phase == "Successful") == (state.successful >= spec.count)
        assert (state.phase == "Failed") == (state.failed > spec.failure_limit)


@given(SPECS, EVENTS)
def test_a_revision_that_nobody_asks_is_never_judged(
    spec: Analysis, events: list[dict[str, object]]
) -> None:
    world, state = World(), AnalysisState()
    for event in events:
        world.happen({**event, "pod": "s"})
        state = evaluate(spec, state, world.look(state, ""), world.now)
        assert (state.successful, state.failed) == (0, 0)
        assert needs_traffic(state)


RATES = st.builds(
    lambda metric, **fields: Analysis.model_validate(
        {"metrics": [{"name": "s", "successRate": {}, **metric}], "interval": "60s", **fields}
    ),
    st.fixed_dictionaries(
        {"successCondition": CONDITIONS},
        optional={"maxRatioToStable": st.sampled_from(("0.5", "1.5", "20"))},
    )
    | st.just({"maxRatioToStable": "1.5"}),
    failureLimit=st.integers(0, 1),
    minSamples=st.integers(1, 50),
)
RATE = st.tuples(st.integers(0, 40), st.sampled_from((100, 99, 60, 30, 5, 1, 0)))
"""How many requests come in a second, and how many percent of them end in errors."""


def answered(rate: tuple[float, int], seconds: float) -> Counters:
    requests = int(rate[0] * seconds)
    return Counters(requests, requests * rate[1] // 100)


def looked_at(seconds: float, new: Counters, old: Counters) -> Sample:
    pods = {"a": PodSample("new", new), "s": PodSample("old", old)}
    return Sample(BEGIN + timedelta(seconds=seconds), pods)


def together(one: Counters, other: Counters) -> Counters:
    return Counters(one.requests + other.requests, one.errors + other.errors)


@settings(max_examples=200)
@given(
    spec=RATES,
    failed=st.integers(0, 1),
    new=RATE,
    old=RATE,
    growth=st.sampled_from((9.99, 1.0, 0.0)),
    percents=st.tuples(st.sampled_from((0, 0, 50)), st.sampled_from((0, 0, 5, 50))),
    late=st.sampled_from((0.0, 5.0)),
)
def test_what_ends_before_its_time_would_have_failed_at_its_time(
    spec: Analysis,
    failed: int,
    new: tuple[int, int],
    old: tuple[int, int],
    growth: float,
    percents: tuple[int, int],
    late: float,
) -> None:
    before = AnalysisState(failed=min(failed, spec.failure_limit), window_start=moment_text(BEGIN))
    first = looked_at(0, Counters(), Counters())
    for seconds in range(1, 60):
        then = looked_at(seconds, answered(new, seconds), answered(old, seconds))
        ended = evaluate(spec, before, Traffic("new", "old", (first, then)), then.time)
        if ended != before:
            break
    else:
        return
    assert ended.phase == "Failed"
    rest = 60 + late - seconds
    new_all = together(answered(new, seconds), answered((growth * new[0], percents[0]), rest))
    old_now = answered(old, seconds)
    old_all = together(old_now, answered((old[0], percents[1]), rest))
    if spec.metrics[0].max_ratio_to_stable is not None:
        most = 10 * (old_now.errors + 1) / old_now.requests
        assume(old_all.errors / old_all.requests <= 0.999 * most)
    last = looked_at(60 + late, new_all, old_all)
    patient = evaluate(spec, before, Traffic("new", "old", (first, last)), last.time)
    assert patient.phase == "Failed"
    assert patient.requests >= ended.requests


FIGURES = st.floats() | st.sampled_from((0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324))
NAMES = st.sampled_from(("Score", "Score_sum", "Score_count", "Score_total", ""))
COUNTERS = st.builds(
    Counters,
    FIGURES,
    FIGURES,
    st.lists(st.tuples(FIGURES, FIGURES), max_size=3).map(tuple),
    st.dictionaries(NAMES, FIGURES),
    st.dictionaries(NAMES, FIGURES),
)
PODS = st.builds(PodSample, st.sampled_from(("new", "old")), COUNTERS, FIGURES, FIGURES)
TEXTS = st.text() | st.text(min_size=1000, max_size=5000) | st.just("\ud800\u202e\x00" * 2000)
READINGS = st.builds(Reading, st.none() | FIGURES, st.none() | FIGURES, TEXTS, FIGURES)
METRICS = (
    {"name": "good", "successRate": {}, "successCondition": "result >= 0.9"},
    {"name": "fast", "latency": {"quantile": "0.5"}, "maxRatioToStable": "1.5"},
    {"name": "score", "model": {"name": "Score"}, "maxRatioToStable": 2},
    {
        "name": "query",
        "prometheus": {"query": "x{r='{{revision}}'}"},
        "successCondition": "result < 1",
        "maxRatioToStable": 2,
    },
)


@settings(max_examples=300)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), PODS), min_size=1, max_size=4),
    READINGS | st.none(),
    st.sets(st.integers(0, 3), min_size=1),
)
def test_whatever_pods_and_prometheus_answer_there_is_a_state_that_the_api_takes(
    looks: list[dict[str, PodSample]], reading: Reading | None, chosen: set[int]
) -> None:
    metrics = [METRICS[index] for index in sorted(chosen)]
    spec = Analysis.model_validate({"metrics": metrics, "minSamples": 1, "count": 1000})
    samples = tuple(
        Sample(BEGIN + index * timedelta(seconds=60), pods) for index, pods in enumerate(looks)
    )
    readings = {metric: reading for metric in spec.metrics if metric.prometheus and reading}
    state = AnalysisState()
    for index in range(len(samples)):
        traffic = Traffic("new", "old", samples[: index + 1], readings)
        state = evaluate(spec, state, traffic, BEGIN + timedelta(hours=1))
        assert AnalysisState.model_validate(state.to_wire()) == state
        assert 0 <= state.requests <= 2**53
        assert all(each.message.isprintable() for each in state.measurements)
        assert json.dumps(state.to_wire(), allow_nan=False).encode()
