"""The test that a pod's model passes before it is ready: its archive's rows, answered as before."""

from pathlib import Path

from slipway_pods.serve.samples import stored
from slipway_pods.serve.samples.asking import AnswerError, Asked, compare
from slipway_pods.serve.samples.rows import SamplesError


def problem(archive: Path, asked: Asked) -> str:
    """Return in a sentence why a model must not serve; empty where it answers as before."""
    try:
        with stored.opened(archive) as (tolerance, rows):
            compare(asked, enumerate(rows, start=1), tolerance)
    except AnswerError as error:
        return str(error)
    except (SamplesError, OSError) as error:
        return f"The archive's {stored.ENTRY} cannot be read: {error}."
    return ""
