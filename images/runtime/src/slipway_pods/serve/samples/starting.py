"""The test that a pod's model passes before it is ready: its archive's rows, answered as before."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway_pods.serve.samples import stored
from slipway_pods.serve.samples.asking import AnswerError, Asked, UnansweredError, compare
from slipway_pods.serve.samples.rows import SamplesError

PAUSE_SECONDS = 0.5
"""How long a server that gave no answer is left alone."""

_WAY_OUT = (
    "Loading the model and answering its archive's rows have to fit into the startup timeout: "
    "raise spec.server.startupTimeoutSeconds, or package fewer rows."
)


@dataclass(frozen=True)
class Problem:
    """Why a model must not serve, in a sentence.

    ``unanswered``: it gave no answer in time, which says nothing of what it answers.
    """

    message: str
    unanswered: bool = False


def problem(
    archive: Path, asked: Asked, going: Callable[[], bool] = lambda: True
) -> Problem | None:
    """Return why a model must not serve; None where it answers as before.

    A row without an answer is asked again until the deadline, while the server is ``going``.
    """
    first = 1
    while True:
        try:
            with stored.opened(archive) as (tolerance, rows):
                numbered = enumerate(rows, start=1)
                compare(asked, (pair for pair in numbered if pair[0] >= first), tolerance)
            return None
        except UnansweredError as error:
            if error.late or not going():
                return Problem(f"{error} {_WAY_OUT}", unanswered=True)
            first = error.number
        except AnswerError as error:
            return Problem(str(error))
        except (SamplesError, OSError) as error:
            return Problem(f"The archive's {stored.ENTRY} cannot be read: {error}.")
        time.sleep(PAUSE_SECONDS)
