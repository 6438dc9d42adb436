"""Micro-batching: parts of a batch go through a handler's three steps at the same time."""

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

STEPS = ("preprocess", "inference", "postprocess")
HANDLER_METHODS = list(STEPS)
_END = object()


class _Failed:
    """What a step raised, in place of what it returns."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Step:
    """Threads that take parts from one queue, and put what they make of them into the next."""

    def __init__(self, owner: "MicroBatching", name: str) -> None:
        self.todo: queue.Queue[Any] = queue.Queue()
        self.next: queue.Queue[Any] = queue.Queue()
        self._owner = owner
        self._name = name
        self._threads: list[threading.Thread] = []

    def scale(self, count: int) -> None:
        """Have so many threads."""
        while len(self._threads) > count:
            self.todo.put(_END)
            self._threads.pop()
        while len(self._threads) < count:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (item := self.todo.get()) is not _END:
            number, value = item
            self._owner.thread_local_data.micro_batch_idx = number
            if not isinstance(value, _Failed):
                try:
                    value = getattr(self._owner.handler, self._name)(value)
                except BaseException as error:
                    value = _Failed(error)
            self.next.put((number, value))


class MicroBatching:
    """Stands in the place of a handler's ``handle``: ``self.handle = MicroBatching(self)``.

    ``parallelism`` is how many threads each of `STEPS` has, one by default.
    """

    def __init__(
        self,
        parent_handler: Any,
        micro_batch_size: int = 1,
        parallelism: Mapping[str, int] | None = None,
    ) -> None:
        self.handler = parent_handler
        self.micro_batch_size = micro_batch_size
        self.thread_local_data = threading.local()
        self._parallelism = dict(parallelism or {})
        self._steps = [_Step(self, name) for name in STEPS]
        for step, after in zip(self._steps, self._steps[1:], strict=False):
            step.next = after.todo
        self.parallelism = self._parallelism

    @property
    def parallelism(self) -> dict[str, int]:
        """How many threads each step has."""
        return dict(self._parallelism)

    @parallelism.setter
    def parallelism(self, parallelism: Mapping[str, int]) -> None:
        if not set(parallelism) <= set(STEPS) or min(parallelism.values(), default=0) < 0:
            raise ValueError(f"parallelism is a number of threads for each of {', '.join(STEPS)}")
        self._parallelism.update(parallelism)
        for name, step in zip(STEPS, self._steps, strict=True):
            step.scale(self._parallelism.get(name, 1))

    def shutdown(self) -> None:
        """End all threads, once they have done what they have."""
        for step in self._steps:
            step.scale(0)

    def get_micro_batch_idx(self) -> int | None:
        """Return the number of the part that the calling thread works on."""
        return getattr(self.thread_local_data, "micro_batch_idx", None)

    def handle(self, data: Sequence[Any]) -> list[Any]:
        """Return the answers of a batch, in its order; raises what a step has raised."""
        size = self.micro_batch_size
        parts = [data[begin : begin + size] for begin in range(0, len(data), size)]
        for item in enumerate(parts):
            self._steps[0].todo.put(item)
        done = dict(self._steps[-1].next.get() for _ in parts)
        for value in done.values():
            if isinstance(value, _Failed):
                raise value.error
        return [answer for number in range(len(parts)) for answer in done[number]]

    def __call__(self, data: Sequence[Any], context: Any) -> Any:
        """Answer a batch as a handler does."""
        self.handler.context = context
        with context.metrics.timed("HandlerTime"):
            if self.handler._is_describe():
                return [self.handler.describe_handle()]
            if self.handler._is_explain():
                return self.handler.explain_handle(self.handler.preprocess(data), data)
            return self.handle(data)
