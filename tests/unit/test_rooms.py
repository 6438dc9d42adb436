"""How the code is divided: rooms that can be taken in at a glance, and files that can be read."""

import ast
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import slipway
import slipway_handlers
import slipway_pods
import slipway_runtime

PACKAGES = [
    Path(slipway.__file__).parent,
    Path(slipway_runtime.__file__).parent,
    Path(slipway_pods.__file__).parent,
    Path(slipway_handlers.__file__).parent,
]
TESTS = Path(__file__).parents[1]
MOST_FILES = 10
MOST_LINES = 300
MOST_FILES_A_FIELD = 4
LARGER = {"slipway.api.training": "one file for each part of the spec and of the status"}
"""Rooms with more files, and why they are not divided."""
FRAMEWORKS = {"torch", "lightning", "pytorch_lightning", "transformers"}
"""What the helper for scripts imports where a script has it."""


def rooms() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (init.parent for init in sorted(package.rglob("__init__.py")))


def name_of(room: Path) -> str:
    top = next(package for package in PACKAGES if room.is_relative_to(package))
    return ".".join(room.relative_to(top.parent).parts)


@pytest.mark.parametrize("room", list(rooms()), ids=name_of)
def test_a_room_has_few_files_or_a_reason_for_more(room: Path) -> None:
    files = [path for path in room.glob("*.py") if not path.name.startswith("__")]
    assert (len(files) > MOST_FILES) == (name_of(room) in LARGER), len(files)


def test_no_reason_is_given_for_a_room_that_is_not_there() -> None:
    assert set(LARGER) <= {name_of(room) for room in rooms()}


def test_no_file_is_too_long_to_be_read() -> None:
    files = (path for package in PACKAGES for path in sorted(package.rglob("*.py")))
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def test_what_goes_into_users_images_needs_the_standard_library_and_a_framework_at_most() -> None:
    package = Path(slipway_runtime.__file__).parent
    found = {name for file in package.rglob("*.py") for name in imported(file)}
    assert found <= sys.stdlib_module_names | FRAMEWORKS | {"slipway_runtime"}


def test_annotations_in_users_images_are_not_evaluated_which_python_3_9_could_not() -> None:
    for file in Path(slipway_runtime.__file__).parent.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        postponed = any(
            isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body
        )
        assert postponed or not list(unions_in_annotations(tree)), file


def unions_in_annotations(tree: ast.AST) -> Iterator[ast.BinOp]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            written = getattr(node, field, None)
            if written is not None:
                yield from (n for n in ast.walk(written) if isinstance(n, ast.BinOp))


STARTED = re.compile(r"-m (slipway_[\w.]+)|from (slipway_[\w.]+) import (\w+)")
"""How files that are no Python of ours name modules."""


def test_what_images_start_and_import_is_there() -> None:
    images = Path(slipway_pods.__file__).parents[3]
    named = set()
    for file in (
        *images.rglob("Dockerfile"),
        images / "server" / "torchserve",
        *images.rglob("*.md"),
    ):
        for program, module, name in STARTED.findall(file.read_text("utf-8")):
            named.add(program.rstrip(".") or f"{module}.{name}")
    assert {"slipway_pods.serve.startup", "slipway_pods.serve.answers"} <= named
    assert [each for each in sorted(named) if importlib.util.find_spec(each) is None] == []


def test_a_runtime_is_named_by_its_own_modules_alone() -> None:
    top = Path(slipway.__file__).parent
    rooms = [top / room for room in ("serving", "envoy", "controller", "observed", "pods")]
    files = [file for room in rooms for file in sorted(room.rglob("*.py"))]
    named = {
        str(file.relative_to(top)): [name for name in said(file) if "torchserve" in name.lower()]
        for file in files
        if "runtimes" not in file.parts
    }
    assert {file: names for file, names in named.items() if names} == {
        "envoy/clusters.py": ["torchserve"]
    }


def said(file: Path) -> Iterator[str]:
    """Yield the names and the texts in a file's code; what is said of it is no part of it."""
    tree = ast.parse(file.read_text("utf-8"))
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias):
            yield node.name


@pytest.mark.parametrize("field", ["queueDeadlineSeconds", "drainSeconds", "jobQueueSize"])
def test_a_field_of_the_api_is_written_into_few_files_by_hand(field: str) -> None:
    """One of each sort: a planner's rule, a part of a pod, a line of the server's configuration."""
    attribute = re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", field)
    word = re.compile(rf"\b({field}|{attribute})\b")
    sources = [path for package in PACKAGES for path in package.rglob("*.py")]
    named_in = [path for path in sources if word.search(path.read_text())]
    assert 0 < len(named_in) <= MOST_FILES_A_FIELD


def test_no_file_of_tests_is_taken_for_another() -> None:
    files = [file for file in TESTS.rglob("test_*.py") if file.with_name("__init__.py").exists()]
    names = Counter(module(file) for file in files)
    assert [name for name, count in names.items() if count > 1] == []


LONG = re.compile(r"^test-(?:long|image):.*\n\t.*/pytest (?:-m long )?(tests/.*)$", re.MULTILINE)
"""The folders of the commands that run long tests."""


def test_make_runs_every_long_test() -> None:
    commands = LONG.findall((TESTS.parent / "Makefile").read_text())
    folders = [TESTS.parent / word for command in commands for word in command.split()]
    long = re.compile(r"pytest\.mark\.long\b")
    files = [file for file in TESTS.rglob("test_*.py") if long.search(file.read_text())]
    assert [file for file in files if not any(map(file.is_relative_to, folders))] == []


def module(file: Path) -> str:
    """Return the name under which pytest imports a file: its packages', as far as they go."""
    top = file.parent
    while top.with_name("__init__.py").exists():
        top = top.parent
    return ".".join(file.relative_to(top.parent).with_suffix("").parts)
