"""For each alert: series that make it fire, series that end it, and what it is fired with.

Values are in promtool's notation: ``1x9`` is 1 and nine times more 1, ``0+6x9`` grows by 6 a
minute.
Source: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from dataclasses import dataclass

JOB = 'namespace="ml", training_job="digits"'
MODEL = 'namespace="ml", deployment="iris"'
POD = f'{MODEL}, revision="a", model="iris", envoy_cluster_name="torchserve"'
OF_JOB = {"namespace": "ml", "training_job": "digits"}
OF_MODEL = {"namespace": "ml", "deployment": "iris"}
HOURS = 8 * 60
"""Minutes that the series of burn-rate alerts last."""


@dataclass(frozen=True)
class Case:
    """``bad`` series fire the alert within ``minutes``, ``good`` ones do not.

    Both map a series to its values, one a minute. The alert is to fire with ``labels`` besides its
    name and severity; ``severity`` chooses among rules with one name.
    """

    alert: str
    severity: str
    labels: dict[str, str]
    bad: dict[str, str]
    good: dict[str, str]
    minutes: int = 40
    name: str = ""

    @property
    def title(self) -> str:
        """What the test is called."""
        return f"{self.alert} {self.name or self.severity}"


def _job(metric: str, labels: str, values: str) -> dict[str, str]:
    return {f"slipway_training_job_{metric}{{{JOB}{labels}}}": values}


def _failed(pod: str, values: str) -> dict[str, str]:
    """Return how a replica of the operator shows a job that has failed."""
    return _job("condition", f', condition="Failed", reason="OutOfMemory", pod="{pod}"', values)


def _starts(values: str) -> dict[str, str]:
    """Return when the operator's process was started, as it shows that, and another process."""
    where = 'job="slipway-operator", instance="10.0.0.1:8080", pod="a"'
    other = 'job="node", instance="10.0.0.9:80", pod="b"'
    return {
        f"process_start_time_seconds{{{where}}}": values,
        f'slipway_build_info{{{where}, version="1"}}': "1x2 stale 1x2 stale 1x30",
        f"process_start_time_seconds{{{other}}}": "0+60x40",
    }


def _model(condition: str, reason: str, values: str) -> dict[str, str]:
    series = (
        f'slipway_model_deployment_condition{{{MODEL}, condition="{condition}", reason="{reason}"}}'
    )
    return {series: values}


def _answers(errors: str, slow: str) -> dict[str, str]:
    """Return an Envoy's counters: 600 answers a minute, of which some fail and some are quick."""
    return {
        f"envoy_cluster_upstream_rq_completed{{{POD}}}": f"0+600x{HOURS}",
        f'envoy_cluster_upstream_rq_xx{{{POD}, envoy_response_code_class="5"}}': errors,
        f"envoy_cluster_upstream_rq_time_count{{{POD}}}": f"0+600x{HOURS}",
        f'envoy_cluster_upstream_rq_time_bucket{{{POD}, le="1000.0"}}': slow,
    }


WELL = _answers(f"0+0x{HOURS}", f"0+600x{HOURS}")
SILENT = {
    **_job("phase", ', phase="Running"', "1x90"),
    **_job("last_report_timestamp_seconds", "", "0x90"),
}
"""A job that runs and has never reported."""
MINUTE = 60

CASES = (
    Case(
        "SlipwayTrainingJobFailed",
        "warning",
        {**OF_JOB, "reason": "OutOfMemory"},
        bad=_job("condition", ', condition="Failed", reason="OutOfMemory"', "_x70 1x20"),
        good=_job("condition", ', condition="Failed", reason="OutOfMemory"', "1x100"),
        minutes=80,
    ),
    Case(
        "SlipwayTrainingJobFailed",
        "warning",
        {**OF_JOB, "reason": "OutOfMemory"},
        bad=_failed("a", "_x190 1x20"),
        good={**_failed("a", "1x130 stale"), **_failed("b", "_x132 1x80")},
        minutes=200,
        name="is silent of an old failure where another replica of the operator leads",
    ),
    Case(
        "SlipwayTrainingJobFailed",
        "warning",
        {**OF_JOB, "reason": "OutOfMemory"},
        bad=_failed("b", "_x180 1x80"),
        good={**_failed("a", "1x130 stale"), **_failed("b", "_x133 1x80")},
        minutes=192,
        name="is silent of an old failure an hour after nobody led for minutes",
    ),
    Case(
        "SlipwayTrainingJobQueued",
        "warning",
        OF_JOB,
        bad={
            **_job("phase", ', phase="Pending"', "1x20"),
            **_job("phase", ', phase="Queued"', "_x20 1x60"),
        },
        good={
            **_job("phase", ', phase="Queued"', "1x20"),
            **_job("phase", ', phase="Running"', "_x20 1x60"),
        },
        minutes=60,
    ),
    Case(
        "SlipwayTrainingNoProgress",
        "warning",
        OF_JOB,
        bad=SILENT,
        good={
            **_job("phase", ', phase="Running"', "1x90"),
            **_job("last_report_timestamp_seconds", "", "0+60x90"),
        },
        minutes=60,
    ),
    Case(
        "SlipwayTrainingNoProgress",
        "warning",
        OF_JOB,
        bad=SILENT,
        good={
            **_job("phase", ', phase="Succeeded"', "1x90"),
            **_job("last_report_timestamp_seconds", "", "0x90"),
        },
        minutes=60,
        name="of a job that has ended",
    ),
    Case(
        "SlipwayCheckpointFailing",
        "warning",
        OF_JOB,
        bad={f"slipway_training_checkpoint_failing{{{JOB}}}": "1x20"},
        good={f"slipway_training_checkpoint_failing{{{JOB}}}": "1x3 0x20"},
        minutes=15,
    ),
    Case(
        "SlipwayStoreUnreachable",
        "critical",
        {"namespace": "ml"},
        bad={f"slipway_store_up{{{JOB}}}": "0x20"},
        good={
            f'slipway_store_up{{{JOB}, index="0"}}': "0x20",
            f'slipway_store_up{{{JOB}, index="1"}}': "1x20",
        },
        minutes=15,
    ),
    Case(
        "SlipwayStoreFilling",
        "warning",
        {"namespace": "slipway-system"},
        bad={
            'slipway_store_volume_bytes{namespace="slipway-system"}': "100x20",
            'slipway_store_volume_free_bytes{namespace="slipway-system"}': "9x20",
        },
        good={
            'slipway_store_volume_bytes{namespace="slipway-system"}': "100x20",
            'slipway_store_volume_free_bytes{namespace="slipway-system"}': "11x20",
        },
        minutes=15,
    ),
    Case(
        "SlipwayModelNotReady",
        "warning",
        OF_MODEL,
        bad={
            **_model("Ready", "RollingOut", "0x10"),
            **_model("Ready", "Unschedulable", "_x10 0x20"),
        },
        good={**_model("Ready", "RollingOut", "0x10"), **_model("Ready", "Serving", "_x10 1x20")},
        minutes=25,
    ),
    Case(
        "SlipwayModelNotReady",
        "warning",
        OF_MODEL,
        bad={
            **_model("Ready", "Paused", "0x200"),
            **_model("Available", "PodsAvailable", "1x90"),
            **_model("Available", "NoPodsAvailable", "_x90 0x110"),
        },
        good={
            **_model("Ready", "Paused", "0x200"),
            **_model("Available", "PodsAvailable", "1x200"),
        },
        minutes=3 * MINUTE,
        name="of a rollout that waits for hours, whose stable revision serves",
    ),
    Case(
        "SlipwayModelNotReady",
        "warning",
        OF_MODEL,
        bad={
            **_model("Ready", "ImagePullFailed", "0x60"),
            **_model("Available", "PodsAvailable", "1x60"),
        },
        good={
            **_model("Ready", "RollingOut", "0x20"),
            **_model("Ready", "Verifying", "_x20 0x40"),
            **_model("Available", "PodsAvailable", "1x60"),
        },
        minutes=50,
        name="of a rollout that takes its time",
    ),
    Case(
        "SlipwayModelUnavailable",
        "critical",
        OF_MODEL,
        bad=_model("Available", "NoPodsAvailable", "0x20"),
        good=_model("Available", "ScaledToZero", "0x20"),
        minutes=10,
    ),
    Case(
        "SlipwayErrorBudgetBurn",
        "critical",
        {**OF_MODEL, "window": "1h"},
        bad=_answers(f"0+12x{HOURS}", f"0+600x{HOURS}"),
        good=WELL,
        minutes=2 * MINUTE,
    ),
    Case(
        "SlipwayErrorBudgetBurn",
        "warning",
        {**OF_MODEL, "window": "6h"},
        bad=_answers(f"0+5x{HOURS}", f"0+600x{HOURS}"),
        good=_answers(f"0+1x{HOURS}", f"0+600x{HOURS}"),
        minutes=7 * MINUTE,
    ),
    Case(
        "SlipwayErrorBudgetBurn",
        "critical",
        {**OF_MODEL, "window": "1h"},
        bad=_answers(f"0+12x{HOURS}", f"0+600x{HOURS}"),
        good={
            **_answers(f"0+12x{HOURS}", f"0+600x{HOURS}"),
            f'slipway_rollout_weight_ratio{{{MODEL}, revision="a", role="shadow"}}': f"1x{HOURS}",
        },
        minutes=2 * MINUTE,
        name="of a shadow, whose answers no user gets",
    ),
    Case(
        "SlipwayLatencyBudgetBurn",
        "critical",
        {**OF_MODEL, "window": "1h"},
        bad=_answers(f"0+0x{HOURS}", f"0+480x{HOURS}"),
        good=WELL,
        minutes=2 * MINUTE,
    ),
    Case(
        "SlipwayLatencyBudgetBurn",
        "warning",
        {**OF_MODEL, "window": "6h"},
        bad=_answers(f"0+0x{HOURS}", f"0+550x{HOURS}"),
        good=WELL,
        minutes=7 * MINUTE,
    ),
    Case(
        "SlipwayRolloutStuck",
        "warning",
        OF_MODEL,
        bad=_model("Progressing", "ProgressDeadlineExceeded", "0x30"),
        good=_model("Progressing", "RolloutComplete", "0x30"),
        minutes=25,
    ),
    Case(
        "SlipwayRolloutStuck",
        "warning",
        OF_MODEL,
        bad={f'slipway_analysis_phase{{{MODEL}, phase="Inconclusive"}}': "1x30"},
        good={f'slipway_analysis_phase{{{MODEL}, phase="Running"}}': "1x30"},
        minutes=25,
        name="for want of traffic",
    ),
    Case(
        "SlipwayRolloutRolledBack",
        "warning",
        OF_MODEL,
        bad={f'slipway_rollout_phase{{{MODEL}, strategy="Canary", phase="RolledBack"}}': "1x30"},
        good={f'slipway_rollout_phase{{{MODEL}, strategy="Canary", phase="Complete"}}': "1x30"},
        minutes=5,
    ),
    Case(
        "SlipwayOperatorDown",
        "critical",
        {},
        bad={'slipway_leader{pod="a"}': "0x30"},
        good={'slipway_leader{pod="a"}': "0x30", 'slipway_leader{pod="b"}': "1x30"},
        minutes=10,
    ),
    Case(
        "SlipwayOperatorRestarting",
        "warning",
        {"pod": "a"},
        bad=_starts("100x3 400x3 stale 900x5 stale 1600x20"),
        good=_starts("100x3 stale 400x3 stale 900x30"),
        minutes=20,
    ),
    Case(
        "SlipwayNamespaceTooLarge",
        "warning",
        {"namespace": "ml"},
        bad={'slipway_outlined_objects{namespace="ml", pod="a"}': "3x40"},
        good={'slipway_outlined_objects{namespace="ml", pod="a"}': "3x5 stale"},
        minutes=30,
    ),
    Case(
        "SlipwayQueueGrowing",
        "warning",
        {"pod": "a"},
        bad={'slipway_workqueue_depth{pod="a"}': "0+10x60"},
        good={'slipway_workqueue_depth{pod="a"}': "100-1x60"},
    ),
    Case(
        "SlipwayReconcileErrors",
        "warning",
        {"kind": "TrainingJob"},
        bad={
            'slipway_reconcile_total{kind="TrainingJob", result="error"}': "0+6x60",
            'slipway_reconcile_total{kind="TrainingJob", result="refused"}': "0+600x60",
            'slipway_reconcile_total{kind="TrainingJob", result="done"}': "0+6x60",
        },
        good={
            'slipway_reconcile_total{kind="TrainingJob", result="stalled"}': "0+1x60",
            'slipway_reconcile_total{kind="TrainingJob", result="refused"}': "0+600x60",
            'slipway_reconcile_total{kind="TrainingJob", result="done"}': "0+60x60",
        },
    ),
    Case(
        "SlipwayOperatorMemoryHigh",
        "warning",
        {"pod": "a"},
        bad={
            'process_resident_memory_bytes{pod="a"}': "100e6+5e6x40",
            'slipway_memory_limit_bytes{pod="a"}': "200e6x40",
        },
        good={
            'process_resident_memory_bytes{pod="a"}': "150e6x40",
            'slipway_memory_limit_bytes{pod="a"}': "200e6x40",
            'process_resident_memory_bytes{pod="b"}': "900e6x40",
        },
        minutes=39,
    ),
    Case(
        "SlipwayWatchStale",
        "warning",
        {"pod": "a", "path": "/api/v1/pods"},
        bad={'slipway_watch_age_seconds{pod="a", path="/api/v1/pods"}': "0+60x30"},
        good={'slipway_watch_age_seconds{pod="a", path="/api/v1/pods"}': "0 60 120 0 60 120 0x20"},
        minutes=20,
    ),
    Case(
        "SlipwayCertificateExpiring",
        "warning",
        {"certificate": "api-server"},
        bad={'slipway_certificate_expiry_timestamp_seconds{certificate="api-server"}': "864000x20"},
        good={
            'slipway_certificate_expiry_timestamp_seconds{certificate="api-server"}': "8640000x20"
        },
        minutes=5,
    ),
    Case(
        "SlipwayCertificateExpiring",
        "warning",
        OF_MODEL,
        bad={f"envoy_server_days_until_first_cert_expiring{{{MODEL}}}": "7x20"},
        good={f"envoy_server_days_until_first_cert_expiring{{{MODEL}}}": "4294967295x20"},
        minutes=5,
        name="of a proxy",
    ),
)
