"""Training: one job."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from install.dashboards.parts import (
    Query,
    Steps,
    below,
    board,
    graph,
    number,
    of_one,
    word,
)

JOB = 'namespace="$namespace", training_job="$training_job"'
MINUTE, HOUR = 60, 3600
DONE: Steps = ((None, "blue"), (1, "green"))


def dashboard() -> Dashboard:
    """Return the dashboard's builder."""
    made = board("training", "Slipway / Training", "One TrainingJob, as its first pod reports.")
    of_one(made, "training_job", "TrainingJob", "slipway_training_job_phase")
    _now(made)
    _script(made)
    _pods(made)
    _checkpoints(made)
    return made


def _now(made: Dashboard) -> None:
    made.with_row(Row("Current state"))
    phase = f"slipway_training_job_phase{{{JOB}}}"
    made.with_panel(word("Phase", "Summary of the job's conditions.", Query(phase, "{{phase}}")))
    made.with_panel(
        number(
            "Progress",
            "Share of the steps done, where the script says how many there are.",
            "percentunit",
            Query(f"slipway_training_job_progress_ratio{{{JOB}}}"),
            steps=DONE,
        )
    )
    made.with_panel(
        number(
            "Time left",
            "Time until the planned end at the pace of the last minute.",
            "s",
            Query(f"slipway_training_job_eta_seconds{{{JOB}}}"),
        )
    )
    made.with_panel(
        number(
            "Restarts",
            "How often the whole group of pods was restarted.",
            "none",
            Query(f"slipway_training_job_restarts{{{JOB}}}"),
            steps=below(1, 5),
        )
    )
    made.with_panel(
        number(
            "Last report",
            "Time since the script last reported.",
            "s",
            Query(f"time() - slipway_training_job_last_report_timestamp_seconds{{{JOB}}}"),
            steps=below(10 * MINUTE, 30 * MINUTE),
        )
    )
    made.with_panel(
        number(
            "Last checkpoint",
            "Time since a checkpoint was last complete in the store: what a restart would lose.",
            "s",
            Query(f"time() - slipway_training_job_last_checkpoint_timestamp_seconds{{{JOB}}}"),
            steps=below(HOUR, 4 * HOUR),
        )
    )


def _script(made: Dashboard) -> None:
    made.with_row(Row("Script"))
    made.with_panel(
        graph(
            "Loss and other metrics",
            "What the script reports, by name.",
            "short",
            Query(f"slipway_training_metric{{{JOB}}}", "{{name}}"),
            least=None,
            span=12,
        )
    )
    made.with_panel(
        graph(
            "Throughput",
            "Samples a second of all processes, and steps a second, over the last minute.",
            "short",
            Query(f"slipway_training_samples_per_second{{{JOB}}}", "samples/s"),
            Query(f"slipway_training_steps_per_second{{{JOB}}}", "steps/s"),
            span=12,
        )
    )
    made.with_panel(
        graph(
            "Steps",
            "Steps taken, and steps planned.",
            "none",
            Query(f"slipway_training_step{{{JOB}}}", "step"),
            Query(f"slipway_training_total_steps{{{JOB}}}", "planned"),
        )
    )
    made.with_panel(
        graph(
            "Epoch",
            "The epoch that the script is in.",
            "none",
            Query(f"slipway_training_epoch{{{JOB}}}", "epoch"),
        )
    )
    made.with_panel(
        graph(
            "Time left",
            "Time until the planned end, as the job itself reckons it.",
            "s",
            Query(f"slipway_training_eta_seconds{{{JOB}}}", "left"),
        )
    )


def _pods(made: Dashboard) -> None:
    made.with_row(Row("Pods"))
    made.with_panel(
        graph(
            "Nodes",
            "Pods of the job: desired, alive, ready.",
            "none",
            Query(f"max by (state) (slipway_training_job_nodes{{{JOB}}})", "{{state}}"),
        )
    )
    made.with_panel(
        graph(
            "GPU memory",
            "Memory in use on rank 0's GPU, and what it has.",
            "bytes",
            Query(f"slipway_training_gpu_memory_used_bytes{{{JOB}}}", "used"),
            Query(f"slipway_training_gpu_memory_total_bytes{{{JOB}}}", "total"),
        )
    )
    made.with_panel(
        graph(
            "GPU use",
            "Share of the time in which rank 0's GPU was busy.",
            "percentunit",
            Query(f"slipway_training_gpu_utilization_ratio{{{JOB}}}", "busy"),
        )
    )


def _checkpoints(made: Dashboard) -> None:
    made.with_row(Row("Checkpoints and store"))
    made.with_panel(
        graph(
            "Checkpoint time",
            "Time from the begin of the newest checkpoint's save until it was valid in the store.",
            "s",
            Query(f"slipway_training_checkpoint_duration_seconds{{{JOB}}}", "duration"),
        )
    )
    made.with_panel(
        graph(
            "Newest checkpoint",
            "Step of the newest valid checkpoint, beside the step that the script is at.",
            "none",
            Query(f"slipway_training_last_checkpoint_step{{{JOB}}}", "checkpoint"),
            Query(f"slipway_training_step{{{JOB}}}", "step"),
        )
    )
    made.with_panel(
        graph(
            "Store",
            "Whether each pod can connect to the artifact store (1), and whether its last "
            "checkpoint could not be stored (1).",
            "none",
            Query(f"slipway_store_up{{{JOB}}}", "store up, index {{index}}"),
            Query(f"slipway_training_checkpoint_failing{{{JOB}}}", "checkpoint failing"),
        )
    )
