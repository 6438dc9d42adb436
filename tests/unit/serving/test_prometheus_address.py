"""Which Prometheus the operator may be sent to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.serving import reasons
from slipway.serving.prometheus_address import Allowed
from slipway.settings import Settings
from tests.unit.serving.world import World

LISTED = "https://mimir.example.com/prometheus"
ALLOWED = Allowed((LISTED, "http://prometheus.monitoring.svc:9090"))


@pytest.mark.parametrize(
    "address",
    [
        "http://prometheus.demo.svc:9090",
        "http://prometheus.demo.svc",
        "https://p.demo.svc.cluster.local:9090/a/prometheus/",
        "HTTP://Prometheus.Demo.SVC:9090",
        LISTED,
        f"{LISTED}/",
        "https://mimir.example.com:443/prometheus",
        "http://prometheus.monitoring.svc:9090",
    ],
)
def test_services_of_the_own_namespace_and_listed_addresses_are_asked(address: str) -> None:
    assert ALLOWED.refusal(address, "demo") is None


@pytest.mark.parametrize(
    "address",
    [
        "http://prometheus.other.svc:9090",
        "http://prometheus.demo.svc.other.svc:9090",
        "http://prometheus.demo.svc.example.com",
        "http://prometheus.demo.svc.",
        "http://web-0.prometheus.demo.svc",
        "http://demo.svc",
        "http://prometheus.demo",
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://127.0.0.1:9090",
        "http://2130706433",
        "http://user@prometheus.demo.svc",
        "http://prometheus.demo.svc@169.254.169.254",
        "http://169.254.169.254#prometheus.demo.svc",
        "http://169.254.169.254\\.prometheus.demo.svc",
        "http://prometheus.demo.svc/../admin",
        "http://prometheus.demo.svc/%2e%2e/admin",
        "http://prometheus.demo.svc/x?query=1",
        "http://prometheus.demo.svc:0",
        "http://prometheus.demo.svc:99999",
        "http://prometheus.demo.svc:9090\r\nHost: x",
        "http://pr\u00f6metheus.demo.svc",
        "ftp://prometheus.demo.svc",
        "http://mimir.example.com/prometheus",
        "https://mimir.example.com/admin",
        "https://mimir.example.com:444/prometheus",
        "https://mimir.example.com.evil.org/prometheus",
        "http:///prometheus",
        "",
    ],
)
def test_nothing_else_is_asked_and_what_to_write_is_told(address: str) -> None:
    told = ALLOWED.refusal(address, "demo")
    assert told is not None
    assert "http://prometheus.demo.svc:9090" in told
    assert "operator.analysis.allowedPrometheusAddresses" in told


def test_the_api_server_is_no_service_of_the_namespace_default() -> None:
    assert Allowed().refusal("http://kubernetes.default.svc", "default") is not None
    assert Allowed().refusal("http://prometheus.default.svc", "default") is None


HOSTS = st.lists(
    st.sampled_from(
        ("demo", "svc", "cluster", "local", "prometheus", "evil", "com", "", "@", "a b")
    )
    | st.text(max_size=4),
    min_size=1,
    max_size=6,
).map(".".join)


@given(HOSTS, st.sampled_from(("", ":9090", ":0", ":x", "/p", "/..", "?q", "#f", "\\@x")))
def test_an_address_that_is_not_listed_is_asked_only_by_a_services_exact_name(
    host: str, rest: str
) -> None:
    told = Allowed().refusal(f"http://{host}{rest}", "demo")
    label, _, domain = host.lower().partition(".")
    exact = domain in ("demo.svc", "demo.svc.cluster.local") and label.isascii()
    if told is None:
        assert exact
        assert rest in ("", ":9090", "/p")
    else:
        assert told.isprintable()
        assert len(told) < 512


@given(st.text())
def test_any_text_is_judged(address: str) -> None:
    told = ALLOWED.refusal(address, "demo")
    assert told is None or told.isprintable()


def canary(address: str) -> dict[str, Any]:
    query = {"query": "x", "address": address}
    metric = {"name": "mine", "prometheus": query, "successCondition": "result < 1"}
    steps = [{"setWeight": 10}, {"analysis": {"metrics": [metric]}}]
    return {"strategy": "Canary", "canary": {"steps": steps}}


def test_a_refused_address_is_told_by_a_condition_and_an_event_from_the_beginning() -> None:
    world = World(rollout=canary("http://169.254.169.254"))
    world.reconcile()
    found = world.condition(reasons.ANALYSIS_READY)
    assert (found.status, found.reason) == ("False", reasons.FORBIDDEN_ADDRESS)
    assert "http://prometheus.demo.svc:9090" in found.message
    assert [e.type for e in world.events if e.reason == reasons.FORBIDDEN_ADDRESS] == ["Warning"]
    world.change(rollout=canary("http://prometheus.demo.svc:9090"))
    world.reconcile()
    assert reasons.ANALYSIS_READY not in {each["type"] for each in world.status["conditions"]}


def test_the_operators_own_prometheus_and_what_the_chart_lists_may_be_named() -> None:
    settings = Settings(
        prometheus_url="http://prometheus.monitoring.svc:9090",
        allowed_prometheus_addresses=f" {LISTED}, ,http://thanos.monitoring.svc:9090",
    )
    assert settings.allowed_prometheus == (
        "http://prometheus.monitoring.svc:9090",
        LISTED,
        "http://thanos.monitoring.svc:9090",
    )
