"""One id for a reconcile, in its logs and in its metrics' exemplars."""

import io
import json
import logging

from prometheus_client.openmetrics.exposition import generate_latest

from slipway.telemetry.logs import JsonFormatter
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.trace import trace_id, traced, traceparent


def test_a_slow_reconcile_leads_to_its_log_lines() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    metrics = Metrics()
    with traced() as trace, metrics.reconciling("TrainingJob"):
        handler.emit(logging.LogRecord("slipway", logging.INFO, "", 0, "Sent", (), None))
    assert json.loads(stream.getvalue())["traceId"] == trace
    page = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    assert f'# {{trace_id="{trace}"}}' in page


def test_requests_carry_the_trace_as_w3c_has_it() -> None:
    with traced() as trace:
        version, found, parent, flags = traceparent().split("-")
    assert (version, found, len(parent), flags) == ("00", trace, 16, "01")


def test_outside_a_reconcile_there_is_no_trace() -> None:
    assert (trace_id(), traceparent()) == ("", "")
