"""A handler that does what each request asks for, and tells what it was told."""

import os
import pathlib
import signal
import time
from typing import Any

from ts.handler_utils.utils import send_intermediate_predict_response
from ts.utils.util import PredictionException


def handle(data: Any, context: Any) -> Any:
    if data is None:
        return None
    return [one(row["body"], index, len(data), context) for index, row in enumerate(data)]


def one(body: Any, index: int, size: int, context: Any) -> Any:
    asked = body if isinstance(body, dict) else {}
    wait(asked)
    if "run" in asked:
        exec(asked["run"])  # noqa: S102 - what handlers are: anybody's code
    if "refuse" in asked:
        raise PredictionException("not like this", asked["refuse"])
    if "raise" in asked:
        raise RuntimeError("a bug")
    for part in asked.get("parts", ()):
        send_intermediate_predict_response([part], context.request_ids, "", 200, context)
    if "status" in asked:
        context.set_response_status(code=asked["status"], idx=index)
    if "type" in asked:
        context.set_response_content_type(index, asked["type"])
    if "header" in asked:
        context.set_response_header(index, *asked["header"])
    if "answer" in asked:
        return eval(asked["answer"])  # noqa: S307 - the same
    return {"body": repr(body), "size": size, "pid": os.getpid()}


def wait(asked: dict[str, Any]) -> None:
    if "begin" in asked:
        pathlib.Path(asked["begin"]).touch()
    while "gate" in asked and not pathlib.Path(asked["gate"]).exists():
        time.sleep(0.005)
    if "exit" in asked:
        os._exit(asked["exit"])
    if "kill" in asked:
        os.kill(os.getpid(), signal.SIGKILL)
    if "sleep" in asked:
        time.sleep(asked["sleep"])
