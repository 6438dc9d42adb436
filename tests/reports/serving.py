"""Reports about models that are served: what they are asked, what they answer, how they end."""

from tests.reports.case import Case, Group, Tested, plain_object
from tests.reports.served import (
    ARCHIVE,
    DAMAGED,
    QUICK_ARCHIVE,
    SMALL_SERVER,
    answers,
    asked_to_die,
    death_told,
    deployment,
    form_of_many_parts,
    large_request,
    not_ready,
    one_record,
    own_word,
    placed,
    ready,
    sends,
    stored,
)

PLACED = {
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "sharedMemory": "64Mi",
}
LINE = "POST /predict HTTP/1.0\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"
NO_HOST = "POST /predict HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"
OF_REQUESTS: tuple[Case, ...] = (
    Case("serving F2 HTTP/1.0", "is answered", look=sends(LINE, "HTTP/1.", "200", "hi")),
    Case("serving F3 the archive's own settings", "hold in TorchServe", look=own_word),
    Case(
        "serving F4 an answer of 8 MB",
        "500 that names the field",
        look=answers("big", 500, "maxResponseBytes"),
    ),
    Case("serving F4 the request after it", "is answered at once", look=answers("hi", 200, "hi")),
    Case("serving F4 a request of 7 MB", "413, also for Python's client", look=large_request),
    Case(
        "serving F4 a form of 100,000 parts",
        "413 that says how many may be, and the model goes on",
        look=form_of_many_parts,
    ),
    Case(
        "serving F10 the case of a header's name",
        "the handler finds the header as it asks for it",
        look=answers("asked", 200, "Ab", x_my_header="Ab"),
    ),
    *(
        Case(f"serving F11 an answer: {word}", expected, look=answers(word, code, *parts))
        for word, expected, code, parts in (
            ("dict", "500 that says what to return", 500, ("returned a dict",)),
            ("count", "500 that says what to return", 500, ("returned 0 answers to 1",)),
            ("nan", "500 that says why", 500, ("NaN",)),
            ("surrogate", "500 that says why", 500, ("no text that can be sent",)),
            ("header", "a number is made a text", 200, ("x-count=5",)),
            ("numpy", "is a number in JSON", 200, ("1.5", "application/json")),
        )
    ),
    Case("serving F12 a pool with a taint, shared memory", "are the pod's", look=placed),
    Case(
        "serving F15 headers of 8 KiB",
        "431 that says how long they may be",
        look=answers("hi", 431, "7 KiB", x_long="x" * 8192),
    ),
    Case(
        "serving F15 a request without a host",
        "400 that says why",
        look=sends(NO_HOST, "HTTP/1.1 400", "no valid HTTP"),
    ),
    Case(
        "serving F15 a text",
        "has its content type",
        look=answers("hi", 200, "content-type=text/plain"),
    ),
    Case(
        "serving F15 another path with x-slipway-forwarded",
        "404",
        look=answers("hi", 404, path="/predict-anything", x_slipway_forwarded="10.0.0.1:8000"),
    ),
    Case(
        "newcomer F2 a bad request that the handler refuses",
        "400 in the handler's words",
        look=answers("bad", 400, "there is no such flower"),
    ),
    Case(
        "newcomer job 1 GET on /predict",
        "405 with allow",
        look=answers("", 405, "allow=POST", method="GET"),
    ),
    Case(
        "newcomer job 1 who answers",
        "the answer names its revision",
        look=answers("hi", 200, "x-slipway-revision="),
    ),
    Case(
        "newcomer job 1 the traceback of a handler",
        "is one record of the log",
        look=one_record,
        seconds=30,
    ),
    Case(
        "serving F11 a worker that calls os._exit(3)",
        "an event says so, and the model is back",
        act=asked_to_die("exit"),
        look=death_told("exit code 3"),
        seconds=120,
    ),
    Case(
        "serving F11 a worker that is killed for its memory",
        "an event says so, and the model is back",
        act=asked_to_die("memory"),
        look=death_told("memory"),
        seconds=120,
    ),
)
NEIGHBOURS = (
    ("cancelled", "503, and the worker lives on", 503, ()),
    ("structured", "422 in the handler's words", 422, ("inputs",)),
    ("misspelt", "500, and the worker lives on", 500, ()),
    ("handed-on", "is answered without the header", 200, ("handed-on",)),
    ("headers", "500 that says how many may be", 500, ("120 headers",)),
)
"""What handlers may do that ends no worker: the word, what is expected, the code, and parts."""


def neighbours(runtime: str) -> Group:
    """Return the cases that both runtimes have to pass, and a worker's death that nobody sees."""
    server = {**SMALL_SERVER, "runtime": runtime}
    return Group(
        f"serving by {runtime}",
        (deployment(QUICK_ARCHIVE, server=server),),
        ready,
        (
            *(
                Case(f"serving F11 {runtime}: {word}", expected, look=answers(word, code, *parts))
                for word, expected, code, parts in NEIGHBOURS
            ),
            Case(
                f"serving F11 {runtime}: the request after them",
                "is answered at once",
                look=answers("hi", 200, "hi"),
                seconds=5,
            ),
            Case(
                f"serving F11 {runtime}: a worker that dies and is back at once",
                "an event says so all the same",
                act=asked_to_die("exit"),
                look=death_told("exit code 3"),
                seconds=120,
            ),
        ),
        before=stored(QUICK_ARCHIVE),
    )


SERVING, LIFE = "tests/unit/serving", "tests/contract/operator/test_life.py"
PACKAGE, KINDS = "tests/unit/runtime/package/test_package.py", "tests/contract/test_kinds.py"
IN_THE_WAY = f"{LIFE}::test_an_object_in_the_way_is_told_in_the_columns_and_stays"
QUOTA = {"hard": {"limits.cpu": "8", "limits.memory": "8Gi"}}

CASES: tuple[Case | Group | Tested, ...] = (
    Group(
        "serving",
        (deployment(ARCHIVE, **PLACED),),
        ready,
        OF_REQUESTS,
        before=stored(ARCHIVE),
    ),
    neighbours("TorchServe"),
    neighbours("Python"),
    Case(
        "serving F1 a quota of limits",
        "all containers have limits, so that the model is served",
        (
            plain_object(
                "ResourceQuota", spec={"hard": {"limits.cpu": "8", "limits.memory": "8Gi"}}
            ),
            deployment(ARCHIVE),
        ),
        ready,
        before=stored(ARCHIVE),
        seconds=420,
    ),
    Case(
        "serving F8 a damaged archive with the right digest",
        "InvalidArchive, without a traceback",
        (deployment(DAMAGED),),
        not_ready("InvalidArchive", "no .mar archive"),
        before=stored(DAMAGED),
    ),
    Tested(
        "serving F5 a stable revision without a ready pod",
        "a ready candidate takes over",
        (f"{SERVING}/rollout/test_take_over.py",),
    ),
    Tested(
        "serving F7 a folder of a saved model",
        "is packed, its weights once",
        (
            f"{PACKAGE}::test_weights_in_a_folder_of_extra_files_are_in_the_archive_once_where_its"
            "_manifest_says",
        ),
    ),
    Tested(
        "serving F9 a flipped bit in a source archive",
        "is told",
        ("tests/unit/runtime/bring/test_archive.py::test_one_bit_that_was_flipped_is_told",),
    ),
    Tested(
        "serving F13 replicas 0 in mid-rollout",
        "the candidate has none either",
        (
            f"{SERVING}/rollout/test_take_over.py::test_no_replicas_in_mid_rollout_are_none_for_the"
            "_candidate_too",
        ),
    ),
    Tested(
        "serving F14, newcomer F1 and F8: a name that is taken",
        "the columns say NameConflict, for 30 s at most once it is free",
        (IN_THE_WAY,),
    ),
    Tested(
        "serving F15 a presigned address, handler.py:function, unquoted numbers",
        "are taken",
        (KINDS,),
    ),
    Tested(
        "serving F15 web pages of another origin",
        "may ask if spec.expose.cors names it",
        (
            "tests/unit/envoy/test_http.py::test_web_pages_of_the_named_origins_may_ask",
            "tests/unit/envoy/test_http.py::test_any_origin_may_be_allowed_and_none_is_by_default",
        ),
    ),
    Tested(
        "newcomer F5 why a candidate was rolled back",
        "status.rollout.failed has the last lines of its server",
        (f"{SERVING}/rollout/test_rollback.py",),
    ),
    Tested(
        "newcomer F6 one row, one revision",
        "MODEL and REVISION are those that serve",
        (
            f"{SERVING}/rollout/test_take_over.py::test_one_row_of_the_status_speaks_of_the_revision"
            "_that_serves",
        ),
    ),
    Tested(
        "newcomer F7 what lies in the store for ever",
        "retention removes it, and nothing that is served",
        ("tests/contract/operator/test_retention.py",),
    ),
    Tested(
        "newcomer F10 back to an earlier revision",
        "by one field",
        (f"{SERVING}/rollout/test_rollback_to.py",),
    ),
    Tested(
        "newcomer F12 progress of a job that starts again",
        "starts anew",
        ("tests/unit/training/report/test_progress.py",),
    ),
)
