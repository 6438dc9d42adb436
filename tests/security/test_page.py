"""The security page names, for each threat, a test that there is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (?!who |---)(.+) \|$", PAGE, re.MULTILINE)
ATTACKERS = (
    *("writer of the two kinds", "role `edit`", "pod of another namespace", "script"),
    *("model archive (.mar)", "checkpoint", "archive", "git tree", "metrics page of a pod"),
    *("store's administration", "holder of the operator's token", "client of a model"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rpartition("::")[2].rstrip("`"))
def test_a_threats_test_is_there(row: str) -> None:
    cells = row.split(" | ")
    assert len(cells) == 4
    assert all(cells)
    file, _, name = cells[3].strip("`").partition("::")
    tree = ast.parse((ROOT / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, functions)}


def test_no_attacker_is_forgotten() -> None:
    assert set(ATTACKERS) <= {row.split(" | ")[0] for row in ROWS}


def test_every_attack_of_this_folder_is_on_the_page() -> None:
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {"test_page.py"}
    assert files <= set(re.findall(r"tests/security/(test_\w+\.py)", PAGE))
