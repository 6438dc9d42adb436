"""Archives whose requests belong together: sequences, and requests that go on step after step."""

from collections.abc import Sequence

from tests.unit.server.conformance.case import Asked, Case, as_json

SEQUENCE = "ts_request_sequence_id"
START = "ts_request_sequence_start"

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
COUNTS = """
class Counts:
    def initialize(self, context):
        context.cache = {}

    def handle(self, data, context):
        answers = []
        for index, row in enumerate(data):
            request = context.get_request_id(index)
            if request not in context.cache:
                context.cache[request] = {"left": row["body"], "is_plain": row["body"] == 0}
            answers.append(f"{context.cache[request]['left']} {sorted(row)};")
        requests = [context.get_request_id(index) for index in range(len(data))]
        context.stopping_criteria = [self.stops(context.cache, request) for request in requests]
        return answers

    def stops(self, cache, request):
        def stop(answer):
            told = cache[request]
            told["left"] -= 1
            if told["left"] > 0:
                return False
            del cache[request]
            return None if told["is_plain"] else True

        return stop
"""
TALKS = """
class Talks:
    def initialize(self, context):
        context.cache = {}
        self.sums = {}

    def handle(self, data, context):
        answers, criteria = [], []
        for index, row in enumerate(data):
            request, sequence = context.get_request_id(index), context.get_sequence_id(index)
            context.set_response_header(index, context.header_key_sequence_id, sequence)
            context.set_response_header(index, "x-extra", sequence)
            if request not in context.cache:
                context.cache[request] = row["body"] if row["body"] % 2 else 0
                if context.get_request_header(index, context.header_key_sequence_start):
                    self.sums[sequence] = 0
                self.sums[sequence] = self.sums.get(sequence, 1000) + row["body"]
                if row["body"] == 0:
                    context.set_response_header(index, context.header_key_sequence_end, sequence)
            answers.append(f"{self.sums[sequence]};")
            criteria.append(self.stops(context.cache, request))
        context.stopping_criteria = criteria
        return answers

    def stops(self, cache, request):
        def stop(answer):
            if not cache[request]:
                del cache[request]
                return None
            cache[request] -= 1
            return cache[request] == 0

        return stop
"""


def of(sequence: str, value: int, **headers: str) -> Asked:
    """Return a request of a sequence."""
    body = as_json(value).body
    return Asked(body, headers={SEQUENCE: sequence, **headers})


def begun(sequence: str, value: int) -> Asked:
    """Return a request that says that it is the first of its sequence."""
    return of(sequence, value, **{START: "true"})


def _numbers(*values: int) -> Sequence[Asked]:
    return [as_json(value) for value in values]


STATEFUL: dict[str, Case] = {
    "sequence": Case(
        "sequences that take turns, one that is given its name, and one too many",
        {"handler.py": SUMS},
        [of("a", 1), of("b", 10), of("a", 2), as_json(5), of("a", 3), of("b", 20), of("c", 1)],
        config="sequenceBatching: true\nsequenceMaxIdleMSec: 600000\nmaxNumSequence: 3\n"
        "maxSequenceJobQueueSize: 4\nbatchSize: 4\nmaxBatchDelay: 5\n",
    ),
    "sequences": Case(
        "eight sequences, asked at once",
        {"handler.py": SUMS},
        [of(f"many-{number}", number) for number in range(8)],
        config="sequenceBatching: true\nsequenceMaxIdleMSec: 600000\nmaxNumSequence: 8\n"
        "batchSize: 8\nmaxBatchDelay: 50\n",
        is_at_once=True,
    ),
    "continuous": Case(
        "answers that go on step after step",
        {"handler.py": COUNTS},
        _numbers(3, 0, 5, 2),
        config="continuousBatching: true\nbatchSize: 2\nmaxBatchDelay: 5\n",
    ),
    "joined": Case(
        "requests that join those that go on, asked at once",
        {"handler.py": COUNTS},
        _numbers(9, 2, 0, 7, 3, 0, 4, 6),
        config="continuousBatching: true\nbatchSize: 3\nmaxBatchDelay: 5\n",
        is_at_once=True,
    ),
    "talks": Case(
        "sequences whose answers go on, and which end",
        {"handler.py": TALKS},
        [begun("s", 2), of("s", 4), of("s", 3), of("s", 0), begun("t", 8), of("t", 5), of("t", 0)],
        config="sequenceBatching: true\ncontinuousBatching: true\nsequenceMaxIdleMSec: 600000\n"
        "maxNumSequence: 1\nmaxSequenceJobQueueSize: 4\nbatchSize: 4\nmaxBatchDelay: 5\n",
    ),
}
