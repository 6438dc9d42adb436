"""Archives whose requests belong together."""

from tests.unit.server.conformance.case import Asked, Case, as_json

SEQUENCE = "ts_request_sequence_id"

SUMS = """
sums = {}


def handle(data, context):
    if data is None:
        return None
    answers = []
    for index, row in enumerate(data):
        sequence = context.get_sequence_id(index)
        is_start = context.get_request_header(index, context.header_key_sequence_start)
        sums[sequence] = sums.get(sequence, 0) + row["body"]
        context.set_response_header(index, "x-extra", sequence[:7])
        answers.append({"sum": sums[sequence], "start": is_start})
    return answers
"""


def of(sequence: str, value: int) -> Asked:
    """Return a request of a sequence."""
    return Asked(as_json(value).body, headers={SEQUENCE: sequence})


STATEFUL: dict[str, Case] = {
    "sequences": Case(
        "eight sequences, asked at once",
        {"handler.py": SUMS},
        [of(f"many-{number}", number) for number in range(8)],
        config="sequenceBatching: true\nsequenceMaxIdleMSec: 600000\nmaxNumSequence: 8\n"
        "batchSize: 8\nmaxBatchDelay: 50\n",
        is_at_once=True,
    ),
}
