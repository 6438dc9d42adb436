"""A handler of sequences, and of answers that go on, which does what each request asks for.

It tells what it has seen of the request's sequence so far.
"""

import os
import pathlib
import signal
import time
from typing import Any

from ts.utils.util import PredictionException


class Talks:
    def initialize(self, context: Any) -> None:
        context.cache = {}
        self.seen: dict[str, list[Any]] = {}

    def handle(self, data: Any, context: Any) -> list[Any]:
        rows = [self.one(row, index, context) for index, row in enumerate(data)]
        requests = [context.get_request_id(index) for index in range(len(data))]
        context.stopping_criteria = [self.stops(context.cache, one) for one in requests]
        return [{**row, "size": len(data)} for row in rows]

    def one(self, row: dict[str, Any], index: int, context: Any) -> dict[str, Any]:
        request, sequence = context.get_request_id(index), context.get_sequence_id(index)
        if request not in context.cache:
            asked = row["body"]
            self.seen.setdefault(sequence, []).append(asked["say"])
            context.cache[request] = asked.get("steps", 0)
            act(asked)
            if "end" in asked:
                context.set_response_header(index, context.header_key_sequence_end, asked["end"])
        start = context.get_request_header(index, context.header_key_sequence_start)
        told = {"seen": self.seen[sequence], "pid": os.getpid(), "cached": len(context.cache)}
        return {**told, "sequence": sequence, "start": start, "left": context.cache[request]}

    def stops(self, cache: dict[str, int], request: str) -> Any:
        def stop(answer: Any) -> bool | None:
            if not cache[request]:
                del cache[request]
                return None
            cache[request] -= 1
            time.sleep(0.002)
            return False

        return stop


def act(asked: dict[str, Any]) -> None:
    if "begin" in asked:
        pathlib.Path(asked["begin"]).touch()
    while "gate" in asked and not pathlib.Path(asked["gate"]).exists():
        time.sleep(0.002)
    if "kill" in asked:
        os.kill(os.getpid(), signal.SIGKILL)
    if "refuse" in asked:
        raise PredictionException("not like this", 422)
    if "raise" in asked:
        raise RuntimeError("a bug")
