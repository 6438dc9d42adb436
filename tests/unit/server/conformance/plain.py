"""Archives whose handlers need no torch: the protocol, and what handlers import of `ts`."""

from tests.unit.server.conformance.case import JSON, Asked, Case, as_json, form

FORM = "application/x-www-form-urlencoded"

TELL = """
def told(value):
    return [type(value).__name__, value if not isinstance(value, bytearray) else value.hex()]


def handle(data, context):
    if data is None:
        return None
    return [{name: told(value) for name, value in sorted(row.items())} for row in data]
"""
KINDS = """
import base64


def handle(data, context):
    if data is None:
        return None
    values = {
        "bytes": b"\\x00\\xff", "bytearray": bytearray(b"ab"), "text": "t\\u00e4xt", "number": 1.5,
        "list": [1, [2, None]], "none": None, "true": True, "empty": "", "nan": float("nan"),
        "unicode": {"\\u00e4": "\\U0001f600"}, "order": {"b": 1, "a": 2}, "tuple": (1, 2),
    }
    return [values[row["body"]] for row in data]
"""
FAILS = """
from ts.utils.util import PredictionException


def handle(data, context):
    if data is None:
        return None
    asked = data[0]["body"]
    if asked == "refused":
        raise PredictionException("not like this", 422)
    if asked == "refused-500":
        raise PredictionException("at all")
    if asked == "bug":
        raise KeyError("x")
    if asked == "memory":
        raise MemoryError
    if asked == "cuda":
        raise RuntimeError("CUDA error: out of memory")
    return {"text": "a text", "none": None, "dict": {"a": 1}, "tuple": (1,), "empty": [],
            "two": [1, 2], "set": [{1}], "object": [object()]}[asked]
"""
HEADERS = """
def handle(data, context):
    if data is None:
        return None
    asked = data[0]["body"]
    for name, value in asked.get("headers", {}).items():
        context.set_response_header(0, name, value)
    if "type" in asked:
        context.set_response_content_type(0, asked["type"])
    if "status" in asked:
        context.set_response_status(asked["status"], asked.get("phrase", ""), 0)
    if "all" in asked:
        context.set_all_response_status(asked["all"], "all")
    return ["done"]
"""
PATHS = """
def handle(data, context):
    if data is None:
        return None
    names = ("url_path", "explain", "x-mine", "content-type", "X-Mine")
    return [{name: context.get_request_header(0, name) for name in names}]
"""
CLASS = """
class Counts:
    def __init__(self):
        self.seen = 0

    def initialize(self, context):
        self.name = context.model_name
        self.properties = context.system_properties

    def handle(self, data, context):
        self.seen += len(data)
        names = ("gpu_id", "batch_size", "server_name", "server_version", "limit_max_image_pixels")
        told = {name: self.properties[name] for name in names}
        model = context.manifest["model"]
        return [{"name": self.name, "seen": self.seen, **told, "manifest": model}]
"""
TWO = """
class A:
    def initialize(self, context): ...
    def handle(self, data, context): return ["A"]


class B(A): ...


def handle(data, context):
    return None if data is None else ["function"]


def other(data, context):
    return None if data is None else ["other"]
"""
CONFIGURED = """
def handle(data, context):
    if data is None:
        return None
    config = context.model_yaml_config
    return [{"config": config, "size": len(data), "sequence": context.get_sequence_id(0)}]
"""
STREAMS = """
from ts.handler_utils.utils import send_intermediate_predict_response


def handle(data, context):
    if data is None:
        return None
    for part in data[0]["body"]:
        send_intermediate_predict_response([part], context.request_ids, "part", 200, context)
    return ["end"]
"""
OLDER = STREAMS.replace("ts.handler_utils.utils", "ts.protocol.otf_message_handler")
METRICS = """
from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes


def handle(data, context):
    if data is None:
        return None
    metrics = context.metrics
    metrics.add_counter("seen", 1)
    metrics.add_time("took", 3.5, None, "ms")
    metrics.add_size("size", 2, None, "MB", [Dimension("where", "here")])
    metrics.add_percent("share", 50.0)
    metrics.add_error("errors", 1)
    metrics.add_metric("level", 4, "cm", metric_type=MetricTypes.GAUGE)
    kept = metrics.add_metric_to_cache("kept", "count", ["a"], MetricTypes.COUNTER)
    kept.add_or_update(1, ["x"])
    told = [kept.metric_name, kept.unit, metrics.get_metric("level", MetricTypes.GAUGE).metric_name]
    for wrong in (lambda: metrics.add_time("t", 1, None, "h"), lambda: metrics.get_metric("none")):
        try:
            wrong()
            told.append("no error")
        except Exception as error:
            told.append("an error")
    return [told]
"""
IMPORTS = """
import helper
from pack.inner import VALUE


def handle(data, context):
    return None if data is None else [[helper.twice(2), VALUE, open("data.txt").read()]]
"""
UTILITIES = """
import json

from ts.handler_utils.utils import import_class
from ts.utils import util


class Own: ...


def handle(data, context):
    if data is None:
        return None
    mapping = util.load_label_mapping("index_to_name.json")
    probabilities = [[0.5, 0.25], [0.125, 1.0]]
    told = {
        "mapping": mapping,
        "missing": util.load_label_mapping("nowhere.json"),
        "named": util.map_class_to_label(probabilities, mapping),
        "numbered": util.map_class_to_label(probabilities, None, [[3, 1], [0, 2]]),
        "classes": [c.__name__ for c in util.list_classes_from_module(__import__("handler"))],
        "imported": import_class("ts.utils.util.PredictionException").__name__,
        "backend": [util.check_valid_pt2_backend(name) for name in ("inductor", "nothing")],
        "error": str(util.PredictionException("no", 418)),
    }
    return [told]
"""
MICRO = """
from ts.handler_utils.micro_batching import MicroBatching


class Adds:
    def __init__(self):
        self.context = None
        self.handle = MicroBatching(self, micro_batch_size=2, parallelism={"inference": 2})

    def initialize(self, context):
        self.initialized = True

    def _is_describe(self):
        return False

    def _is_explain(self):
        return False

    def preprocess(self, rows):
        return [row["body"] for row in rows]

    def inference(self, values):
        return [value + 1 for value in values]

    def postprocess(self, values):
        return values
"""
SUMS = """
def handle(data, context):
    if data is None:
        return None
    return [sum(row) if isinstance(row, list) else row for row in data]
"""
TENSORS = """
def handle(data, context):
    if data is None:
        return None
    return [tensor["data"] for tensor in data]
"""

BODIES = [
    as_json({"a": [1, 2.5, None]}),
    as_json([]),
    Asked(b"{no json", JSON),
    Asked("ä".encode(), "text/plain"),
    Asked(b"\xff\xfe", "text/plain"),
    Asked(b"\x89PNG", "image/png"),
    Asked(b"", "text/plain"),
    Asked(b'{"a": 1}', "application/json; charset=utf-8"),
    Asked(b"plain", "text/plain; charset=utf-8"),
    Asked(b"x", None),
    Asked(b"a=1&b=two%20words", FORM),
    Asked(b'{"a": 1}', FORM),
    Asked(b'{"put": 1}', JSON, method="PUT"),
    Asked(b"", None, method="GET"),
    form(("data", "", b"text"), ("more", "application/json", b'{"a": 1}')),
    form(("data", "image/png", b"\x89PNG")),
    form(("data", "", b"one"), ("data", "", b"two")),
]
"""Ways of sending inputs."""

PLAIN: dict[str, Case] = {
    "bodies": Case("inputs of every kind", {"handler.py": TELL}, BODIES),
    "kinds": Case(
        "answers of every kind",
        {"handler.py": KINDS},
        [
            Asked(name.encode(), "text/plain")
            for name in ("bytes", "bytearray", "text", "number", "list", "none", "true", "empty")
        ]
        + [Asked(name.encode(), "text/plain") for name in ("nan", "unicode", "order", "tuple")],
    ),
    "fails": Case(
        "refusals, errors, and answers that are none",
        {"handler.py": FAILS},
        [
            Asked(name.encode(), "text/plain")
            for name in ("refused", "refused-500", "bug", "memory", "cuda", "text", "none", "dict")
        ]
        + [
            Asked(name.encode(), "text/plain")
            for name in ("tuple", "empty", "two", "set", "object")
        ],
    ),
    "headers": Case(
        "statuses, headers and content types that a handler sets",
        {"handler.py": HEADERS},
        [
            as_json(asked)
            for asked in (
                {"headers": {"x-extra": "yes"}},
                {"type": "text/csv"},
                {"status": 201},
                {"status": 404, "phrase": "Nowhere"},
                {"all": 207},
                {"headers": {"X-Extra": "upper"}, "type": "application/json", "status": 299},
            )
        ],
    ),
    "paths": Case(
        "versions, paths and headers of requests",
        {"handler.py": PATHS},
        [
            Asked(b"{}"),
            Asked(b"{}", tail="/1.0"),
            Asked(b"{}", tail="/2.0"),
            Asked(b"{}", tail="/1.0/more/path"),
            Asked(b"{}", headers={"x-mine": "a"}),
            Asked(b"{}", model="nobody"),
        ],
    ),
    "class": Case("a class without a base", {"handler.py": CLASS}, [Asked(b"{}"), Asked(b"{}")]),
    "function": Case("a function goes before classes", {"handler.py": TWO}, [Asked(b"{}")]),
    "named": Case(
        "a function by its name", {"handler.py": TWO}, [Asked(b"{}")], "handler.py:other"
    ),
    "bare": Case("a handler without its ending", {"handler.py": TWO}, [Asked(b"{}")], "handler"),
    "configured": Case(
        "model-config.yaml as handlers read it",
        {"handler.py": CONFIGURED},
        [Asked(b"{}")],
        config="batchSize: 4\nmaxBatchDelay: 5\nhandler:\n  threshold: 0.5\n  names: [a, b]\n",
    ),
    "streams": Case(
        "parts before the answer", {"handler.py": STREAMS}, [as_json(["a", "b"]), as_json([])]
    ),
    "older": Case("parts by the older import", {"handler.py": OLDER}, [as_json(["a", "b"])]),
    "metrics": Case("metrics of a handler's own", {"handler.py": METRICS}, [Asked(b"{}")]),
    "imports": Case(
        "modules and files of the archive",
        {
            "handler.py": IMPORTS,
            "helper.py": "def twice(x): return 2 * x",
            "pack/__init__.py": "",
            "pack/inner.py": "VALUE = 'inner'",
            "data.txt": "data",
        },
        [Asked(b"{}")],
    ),
    "utilities": Case(
        "what handlers import of ts.utils",
        {"handler.py": UTILITIES, "index_to_name.json": '{"0": "cat", "1": ["n1", "dog"]}'},
        [Asked(b"{}")],
    ),
    "micro": Case(
        "micro-batching, asked eight times at once",
        {"handler.py": MICRO},
        [as_json(number) for number in range(8)],
        config="batchSize: 8\nmaxBatchDelay: 500\n",
        is_at_once=True,
    ),
    "body": Case(
        "the envelope body",
        {"handler.py": SUMS},
        [as_json([1, 2]), Asked(b"text", "text/plain")],
        envelope="body",
    ),
    "json": Case(
        "the envelope json",
        {"handler.py": SUMS},
        [as_json({"instances": [[1, 2], [3]]}), as_json({"instances": []}), as_json([])],
        envelope="json",
    ),
    "kserve": Case(
        "the envelope kserve",
        {"handler.py": SUMS},
        [
            as_json({"instances": [[1, 2], [3]]}),
            Asked(b'{"instances": [[1, 2]]}', "application/octet-stream"),
            Asked(b'{"instances": [[1, 2]]}', door="explanations"),
            as_json([]),
        ],
        envelope="kserve",
    ),
    "kservev2": Case(
        "the envelope kservev2",
        {"handler.py": TENSORS},
        [
            as_json(
                {
                    "id": "17",
                    "inputs": [
                        {"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1.5, 2, 3, 4]},
                        {"name": "b", "shape": [2], "datatype": "INT64", "data": [1, 2]},
                    ],
                }
            ),
            as_json(
                {
                    "inputs": [{"name": "a", "shape": [1], "datatype": "BYTES", "data": ["x"]}],
                    "id": "1",
                }
            ),
            as_json({"inputs": 1}),
        ],
        envelope="kservev2",
    ),
}
"""Archives that need no torch."""
