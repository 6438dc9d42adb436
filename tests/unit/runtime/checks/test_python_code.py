import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.checks import python_code
from slipway_runtime.checks.python_code import CodeError, read


def handler(text: str, function: str | None = None) -> str | None:
    found = read(text.encode())
    assert found
    return python_code.handler_problem(found, function)


def model(text: str) -> str | None:
    found = read(text.encode())
    assert found
    return python_code.model_problem(found)


ONE = "from ts.torch_handler.base_handler import BaseHandler\nclass Net(BaseHandler): ...\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("import torch\nx = out.softmax(1\n", 2, "'(' was never closed"),
        ("def f():\nreturn 1\n", 2, "expected an indented block"),
        ("return 1\n", 1, "'return' outside function"),
        ("print 'x'\n", 1, "Missing parentheses"),
    ],
)
def test_what_python_cannot_import_is_told_with_its_line_and_text(
    text: str, line: int, what: str
) -> None:
    with pytest.raises(CodeError) as caught:
        read(text.encode())
    assert f"line {line}: " in str(caught.value)
    assert what in str(caught.value)
    assert repr(text.splitlines()[line - 1].strip()) in str(caught.value)


def test_a_null_character_is_no_python() -> None:
    with pytest.raises(CodeError, match="null"):
        read(b"a = 1\0")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_are_read_or_refused_with_a_sentence_of_one_line(data: bytes) -> None:
    try:
        read(data)
        told = ""
    except CodeError as error:
        told = str(error)
    assert "\n" not in told


@pytest.mark.parametrize("text", ["x" + ".a" * 30_000, "-" * 60_000 + "1", "not " * 20_000 + "1"])
def test_what_is_nested_too_deep_to_be_parsed_is_taken_on_trust(text: str) -> None:
    assert read(text.encode()) is None


def test_what_is_too_long_is_taken_on_trust() -> None:
    assert read(b"(" * (python_code.MAX_BYTES + 1)) is None


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        "def handle(data, context): ...",
        "from mine import handle",
        "from mine import *",
        f"{ONE}class Other: ...\ndef handle(data, context): ...",
        f"{ONE}class Other: ...\ndel Other",
        "try:\n  class A: ...\nexcept E:\n  class A: ...",
        "Handler = make_handler()",
        f"{ONE}@register\nclass Helper: ...",
    ],
)
def test_what_torchserve_may_be_able_to_load_is_not_refused(text: str) -> None:
    assert handler(text) is None


def test_a_handler_with_two_classes_is_refused_by_their_names() -> None:
    why = handler(f"{ONE}class Labels: ...")
    assert why is not None
    assert "(Net, Labels)" in why
    assert "package.extraFiles" in why


@pytest.mark.parametrize("text", ["", "import torch\ndef predict(data): ...", "X = 1"])
def test_a_handler_without_class_and_function_is_refused(text: str) -> None:
    assert "does not define a class" in str(handler(text))


def test_a_function_of_another_name_is_told_with_what_to_write() -> None:
    text = "import torch\ndef predict(data, context): ...\ndef rows(data): ..."
    for function in (None, "serve"):
        why = str(handler(text, function))
        assert "it defines predict, rows: write package.handler: FILE.py:predict" in why
    assert str(handler("X = 1")).endswith("it defines no function")


def test_of_many_functions_with_long_names_a_message_shows_the_first_ones_cut() -> None:
    text = "".join(f"def {letter * 100_000}(data, context): ...\n" for letter in "abcdefg")
    why = str(handler(text))
    assert f"{'a' * 64}, {'b' * 64}" in why
    assert "f" * 64 not in why
    assert len(why) < 1000


def test_a_function_that_is_not_there_is_refused_by_its_name() -> None:
    assert handler(ONE, "serve") == "it has no function serve; it defines no function"
    assert handler(f"{ONE}def serve(data, context): ...", "serve") is None
    assert handler(f"{ONE}class B: ...\nserve = B().handle", "serve") is None


def test_a_model_file_has_exactly_one_class() -> None:
    assert model("from torch import nn\nclass Net(nn.Module): ...") is None
    assert "Block, Net" in str(model("class Block: ...\nclass Net: ..."))
    assert "torch.nn.Module" in str(model("def make(): ..."))


@pytest.mark.parametrize(
    ("body", "loads"),
    [
        ("class H(BaseHandler):\n  def preprocess(self, data): ...", True),
        ("class H(base_handler.BaseHandler): ...", True),
        ("class H(BaseHandler):\n  def initialize(self, context): ...", False),
        ("class H(Own): ...", False),
        ("class H: ...", False),
        ("def handle(data, context): ...", False),
    ],
)
def test_who_loads_the_model_file_is_known_of_the_handler(body: str, *, loads: bool) -> None:
    found = read(body.encode())
    assert found
    assert python_code.loads_model_file(found) is loads


@given(
    names=st.lists(st.sampled_from("ABCD"), max_size=4),
    function=st.booleans(),
    call=st.booleans(),
)
def test_a_handler_is_refused_exactly_where_torchserves_rule_does(
    names: list[str], function: bool, call: bool
) -> None:
    text = "".join(f"class {name}: ...\n" for name in names)
    text += "def handle(data, context): ...\n" * function + "A = dict()\n" * call
    space: dict[str, object] = {"__name__": "module"}
    exec(compile(ast.parse(text), "module", "exec"), space)  # noqa: S102 - our own text
    classes = {n for n, value in space.items() if isinstance(value, type)}
    loads = "handle" in space or len(classes) == 1
    if handler(text) is not None:
        assert not loads
    elif not call:
        assert loads
