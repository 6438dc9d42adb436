"""What a handler is told of its model, its requests, and how it answers them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ts.headers import Headers
from ts.metrics.metrics_store import MetricsStore


class Stream(Protocol):
    """Where parts of answers go before the answer itself."""

    def send(self, values: Sequence[Any]) -> None:
        """Send one part for each request of the batch."""


class RequestProcessor:
    """One request's headers, and the status and the headers of its answer."""

    def __init__(self, request_header: Mapping[str, str]) -> None:
        self._headers = Headers(request_header)
        self._response: dict[str, Any] = {}
        self._status = (200, "OK")

    def get_request_property(self, key: str) -> Any:
        """Return a header of the request, whatever its name's case; None where there is none."""
        return self._headers.get(key)

    def get_request_properties(self) -> Headers:
        """Return all headers of the request."""
        return self._headers

    def report_status(self, code: int, reason_phrase: str | None = None) -> None:
        """Set the status of the answer."""
        self._status = (int(code), reason_phrase or "")

    def get_response_status_code(self) -> int:
        """Return the status of the answer."""
        return self._status[0]

    def get_response_status_phrase(self) -> str:
        """Return the reason phrase of the answer."""
        return self._status[1]

    def add_response_property(self, key: str, value: Any) -> None:
        """Set a header of the answer."""
        self._response[key] = value

    def get_response_headers(self) -> dict[str, Any]:
        """Return the headers of the answer."""
        return self._response

    def get_response_header(self, key: str) -> Any:
        """Return a header of the answer; None where it is not set."""
        return self._response.get(key)


class Context:
    """Passed to a handler when it begins and with each batch; handlers may hang their own on it."""

    def __init__(
        self,
        model_name: str,
        model_dir: str,
        manifest: Mapping[str, Any],
        batch_size: int,
        gpu: int | None,
        mms_version: str = "0.12.0",
        limit_max_image_pixels: bool = True,
        metrics: MetricsStore | None = None,
        model_yaml_config: Mapping[str, Any] | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.model_name = model_name
        self.manifest = manifest
        self._system_properties = {
            "model_dir": model_dir,
            "gpu_id": gpu,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": mms_version,
            "limit_max_image_pixels": limit_max_image_pixels,
        }
        self.model_yaml_config = dict(model_yaml_config or {})
        self.request_ids: dict[int, str] = {}
        self.request_processor: list[RequestProcessor] = [RequestProcessor({})]
        self.stopping_criteria: Any = None
        self.header_key_sequence_id = os.getenv("TS_REQUEST_SEQUENCE_ID", _SEQUENCE)
        self.header_key_sequence_start = os.getenv("TS_REQUEST_SEQUENCE_START", _START)
        self.header_key_sequence_end = os.getenv("TS_REQUEST_SEQUENCE_END", _END)
        self.stream = stream
        self._metrics = metrics
        self._parts: list[Mapping[str, Mapping[str, str]]] = []
        self._is_explanation = False

    def begin(self, requests: Sequence[Mapping[str, Any]], command: str) -> None:
        """Take in the requests of the next batch: their IDs, headers and fields."""
        self.request_ids = {index: str(one["id"]) for index, one in enumerate(requests)}
        self.request_processor = [RequestProcessor(dict(one["headers"])) for one in requests]
        self._parts = [
            {name: {"content-type": kind, **dict(headers)} for name, kind, headers in one["fields"]}
            for one in requests
        ]
        self._is_explanation = command == "explain"

    @property
    def system_properties(self) -> dict[str, Any]:
        """The model's folder, its device, and its batch size."""
        return self._system_properties

    @property
    def metrics(self) -> Any:
        """Where a handler's own metrics go."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: MetricsStore) -> None:
        self._metrics = metrics

    def get_request_id(self, idx: int = 0) -> str | None:
        """Return the ID of the batch's request at an index."""
        return self.request_ids.get(idx)

    def get_request_header(self, idx: int, key: str) -> Any:
        """Return a header of a request; of a form's field, its headers."""
        fields = self._parts[idx] if idx < len(self._parts) else {}
        value = self.request_processor[idx].get_request_property(key)
        return fields.get(key) if value is None else value

    def get_all_request_header(self, idx: int) -> Headers:
        """Return all headers of a request."""
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Set the content type of an answer."""
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        """Return the content type of an answer; None where none is set."""
        headers = self.get_response_headers(idx)
        named = (str(value) for name, value in headers.items() if str(name).lower() == _TYPE)
        return next(named, None)

    def set_response_status(self, code: int = 200, phrase: str | None = None, idx: int = 0) -> None:
        """Set the status of an answer."""
        self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        """Set the status of all answers of the batch."""
        for processor in self.request_processor:
            processor.report_status(code, phrase)

    def get_response_status(self, idx: int) -> tuple[int, str]:
        """Return the status of an answer and its reason phrase."""
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def set_response_header(self, idx: int, key: str, value: Any) -> None:
        """Set a header of an answer."""
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx: int) -> dict[str, Any]:
        """Return the headers of an answer."""
        return self.request_processor[idx].get_response_headers()

    def get_sequence_id(self, idx: int) -> Any:
        """Return the sequence that a request says it belongs to; None where it says none."""
        return self.request_processor[idx].get_request_property(self.header_key_sequence_id)


_TYPE = "content-type"
_SEQUENCE = "ts_request_sequence_id"
_START = "ts_request_sequence_start"
_END = "ts_request_sequence_end"
