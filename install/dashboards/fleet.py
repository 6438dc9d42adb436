"""Fleet: what runs, what waits, what fails, and who holds the GPUs."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from install.dashboards.parts import (
    Query,
    above,
    below,
    board,
    choice,
    graph,
    listing,
    number,
)

NS = 'namespace=~"$namespace"'
ROW = "${__url_time_range}&var-datasource=${datasource}&var-namespace=${__data.fields.Namespace}"
TO_JOB = f"/d/slipway-training?{ROW}&var-training_job=${{__data.fields.TrainingJob}}"
TO_MODEL = f"/d/slipway-serving?{ROW}&var-deployment=${{__data.fields.ModelDeployment}}"
"""Addresses of the dashboards of a row's object, in Grafana's own variables."""
READY = f'slipway_model_deployment_condition{{{NS}, condition="Ready"}}'


def _jobs(phases: str) -> str:
    return f'sum(slipway_training_jobs{{{NS}, phase=~"{phases}"}}) or vector(0)'


def dashboard() -> Dashboard:
    """Return the dashboard's builder."""
    made = board(
        "fleet",
        "Slipway / Fleet",
        "All TrainingJobs and ModelDeployments of the chosen namespaces.",
    )
    made.with_variable(choice("namespace", "Namespace", "slipway_training_jobs", many=True))
    _now(made)
    _jobs_over_time(made)
    _what_there_is(made)
    _gpus(made)
    return made


def _now(made: Dashboard) -> None:
    made.with_row(Row("Current state"))
    made.with_panel(
        number(
            "Jobs running",
            "TrainingJobs whose pods all run, or whose result is packaged.",
            "none",
            Query(_jobs("Running|Packaging")),
        )
    )
    made.with_panel(
        number(
            "Jobs waiting",
            "TrainingJobs that wait for their source, queue, nodes or a restart.",
            "none",
            Query(_jobs("Pending|Queued|Restarting")),
            steps=below(10, 100),
        )
    )
    made.with_panel(
        number(
            "Jobs failed",
            "TrainingJobs that have failed and are still there.",
            "none",
            Query(_jobs("Failed")),
            steps=below(1, 10),
        )
    )
    made.with_panel(
        number(
            "Models served",
            "ModelDeployments whose wanted revision answers predictions.",
            "none",
            Query(f"count({READY} == 1) or vector(0)"),
        )
    )
    made.with_panel(
        number(
            "Share of models ready",
            "ModelDeployments that serve what they ask for, of all.",
            "percentunit",
            Query(f"avg({READY})"),
            steps=above(0.9, 1),
        )
    )
    made.with_panel(
        number(
            "GPUs held",
            "GPUs of pods that have a node and have not ended.",
            "none",
            Query(f"sum(slipway_gpus{{{NS}}})"),
        )
    )


def _jobs_over_time(made: Dashboard) -> None:
    made.with_row(Row("Jobs"))
    made.with_panel(
        graph(
            "TrainingJobs by phase",
            "How many jobs are in each phase.",
            "none",
            Query(f"sum by (phase) (slipway_training_jobs{{{NS}}})", "{{phase}}"),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Jobs finished in the last hour",
            "Jobs that ended, by result and reason, as of the last hour.",
            "none",
            Query(
                "sum by (result, reason) "
                f"(increase(slipway_training_jobs_finished_total{{{NS}}}[1h]))",
                "{{result}} {{reason}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Wait and run time",
            "Time that jobs waited until their pods ran, and ran without a break: the median and "
            "the 95th percentile as of the last six hours.",
            "s",
            *(
                Query(_quantile(share, f"slipway_training_{what}_seconds", "6h"), f"{what} {name}")
                for what in ("queue_wait", "run")
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
        )
    )


def _quantile(share: float, histogram: str, window: str) -> str:
    inner = f"sum by (le) (increase({histogram}_bucket{{{NS}}}[{window}]))"
    return f"histogram_quantile({share}, {inner})"


def _what_there_is(made: Dashboard) -> None:
    made.with_row(Row("Overview"))
    job = "namespace, training_job"
    made.with_panel(
        listing(
            "TrainingJobs",
            "Each job with its phase, its share of steps done, pods that are ready and restarts.",
            {
                "namespace": "Namespace",
                "training_job": "TrainingJob",
                "phase": "Phase",
                "Value #B": "Progress",
                "Value #C": "Ready pods",
                "Value #D": "Restarts",
            },
            Query(f"max by ({job}, phase) (slipway_training_job_phase{{{NS}}})"),
            Query(f"max by ({job}) (slipway_training_job_progress_ratio{{{NS}}})"),
            Query(f'max by ({job}) (slipway_training_job_nodes{{{NS}, state="ready"}})'),
            Query(f"max by ({job}) (slipway_training_job_restarts{{{NS}}})"),
            links={"TrainingJob": TO_JOB},
        )
    )
    made.with_panel(
        listing(
            "Failures",
            "Jobs that have failed, and deployments that are not ready, with the reason.",
            {
                "namespace": "Namespace",
                "training_job": "TrainingJob",
                "deployment": "ModelDeployment",
                "reason": "Reason",
            },
            Query(
                f"max by ({job}, reason) "
                f'(slipway_training_job_condition{{{NS}, condition="Failed"}} == 1)'
            ),
            Query(f"max by (namespace, deployment, reason) ({READY} == 0)"),
            links={"TrainingJob": TO_JOB, "ModelDeployment": TO_MODEL},
        )
    )


def _gpus(made: Dashboard) -> None:
    made.with_row(Row("GPUs and storage"))
    made.with_panel(
        number(
            "GPU hours",
            "GPU hours that pods held in the chosen time.",
            "none",
            Query(f"sum(increase(slipway_gpu_seconds_total{{{NS}}}[$__range])) / 3600"),
            span=4,
        )
    )
    made.with_panel(
        graph(
            "GPUs held",
            "GPUs of pods that have a node and have not ended, by namespace and what they do.",
            "none",
            Query(
                f"sum by (namespace, component) (slipway_gpus{{{NS}}})",
                "{{namespace}} {{component}}",
            ),
            stacked=True,
            span=5,
        )
    )
    made.with_panel(
        graph(
            "Packaging",
            "Median time from the end of a training to its package, as of the last six hours.",
            "s",
            Query(_quantile(0.5, "slipway_packaging_seconds", "6h"), "p50"),
            span=5,
        )
    )
    made.with_panel(
        graph(
            "Archives refused",
            "How many archives were not served, by the reason, as of the last six hours: changed, "
            "not signed by a key that counts, not decrypted, rejected by a gate, or answering "
            "their samples otherwise. The condition ModelReady of the ModelDeployment says more.",
            "none",
            Query(
                f"sum by (reason) (increase(slipway_models_refused_total{{{NS}}}[6h]))",
                "{{reason}}",
            ),
            span=5,
        )
    )
    made.with_panel(
        graph(
            "Gates of packages",
            "How many gates archives passed and missed, as of the last six hours. An archive that "
            "misses one is Rejected and not served: its TrainingJob's status has the figures.",
            "none",
            Query(
                f"sum by (verdict) (increase(slipway_package_gates_total{{{NS}}}[6h]))",
                "{{verdict}}",
            ),
            span=5,
        )
    )
