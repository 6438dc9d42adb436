"""The reasons are an interface: each one is documented and fits the API's pattern."""

import ast
import re
from pathlib import Path

from slipway.training import reasons

SOURCE = Path(str(reasons.__file__))


def test_every_constant_is_followed_by_what_it_means() -> None:
    body = ast.parse(SOURCE.read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign):
            assert isinstance(after, ast.Expr), ast.unparse(node)
            assert isinstance(after.value, ast.Constant), ast.unparse(node)


def test_every_value_is_unique_and_one_word_in_camel_case() -> None:
    values = [value for value in vars(reasons).values() if isinstance(value, str)]
    constants = [
        value for name, value in vars(reasons).items() if name.isupper() and value in values
    ]
    texts = [value for value in constants if isinstance(value, str)]
    assert len(texts) == len(set(texts))
    assert all(re.fullmatch(r"[A-Z][A-Za-z]{2,63}", text) for text in texts)
