"""What can be known of a Python file without running it: its syntax, classes and functions.

Used for files that TorchServe will import, so that what it must refuse is told before that. What
the file might do by itself, such as a class that a function makes, is never held against it.
Standard library only; the text is never run.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

MAX_BYTES = 1024 * 1024
"""Longest file that is parsed, in bytes; what is longer is taken on trust."""
SHOWN = 120
"""Longest part of a line that a message shows, in characters."""
MAX_NAMES, MAX_NAME = 5, 64
"""How many of a file's names a message shows, and how many characters of each."""

_TORCHSERVE_BASES = frozenset({"BaseHandler", "VisionHandler", "ImageClassifier", "TextHandler"})
"""TorchServe's own handlers whose ``initialize`` loads the class of a model file."""


class CodeError(Exception):
    """The file is no Python that can be imported; the text says which line and why."""


@dataclass(frozen=True)
class Module:
    """The names of a file's first level.

    ``classes`` are those that a class statement of the first level certainly leaves behind, and
    ``names`` all that are bound there in any way. ``open_ended``: it may have more of both.
    ``functions`` are the names that it defines as functions, in its order.
    """

    classes: tuple[ast.ClassDef, ...]
    names: frozenset[str]
    open_ended: bool
    functions: tuple[str, ...] = ()

    @property
    def told_functions(self) -> str:
        """The first functions that it has, for a message: ``predict, rows``; empty for none."""
        return ", ".join(name[:MAX_NAME] for name in self.functions[:MAX_NAMES])


def read(data: bytes) -> Module | None:
    """Return what a file has; None for one that is too long to be parsed.

    Raises CodeError where Python could not import it.
    """
    if len(data) > MAX_BYTES:
        return None
    try:
        tree = ast.parse(data)
        compile(tree, "<file>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CodeError(_syntax(error, data)) from error
    except ValueError as error:  # a null character
        raise CodeError(f"it is no Python: {error}") from error
    except (RecursionError, MemoryError):
        return None
    return _module(tree)


def _syntax(error: SyntaxError, data: bytes) -> str:
    lines, number = data.split(b"\n"), error.lineno or 0
    own = lines[number - 1].decode(errors="replace") if 0 < number <= len(lines) else ""
    line = (error.text or own).strip()[:SHOWN]
    where = f"line {number}: " if number else ""
    return f"{where}{error.msg}{f' in {line!r}' if line else ''}"


def _module(tree: ast.Module) -> Module:
    reached = _first_level(tree)
    names = {name for node in reached for name in _bound(node)}
    changed = {name for node in reached for name in _rebound(node)}
    certain = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.decorator_list and node.name not in changed
    }
    uncertain = {node.name for node in reached if isinstance(node, ast.ClassDef)} - set(certain)
    open_ended = bool(uncertain) or any(map(_opens, reached))
    functions = tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return Module(tuple(certain.values()), frozenset(names), open_ended, functions)


def _first_level(tree: ast.Module) -> list[ast.AST]:
    """Return the statements and expressions that run at import, those within blocks too."""
    reached, left = [], list[ast.AST](tree.body)
    while left:
        node = left.pop()
        reached.append(node)
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            left.extend(ast.iter_child_nodes(node))
    return reached


def _bound(node: ast.AST) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return {node.id}
    return set()


def _rebound(node: ast.AST) -> set[str]:
    """Return the names that a statement binds to something else than its own class, or deletes."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
        return {node.id}
    return set() if isinstance(node, ast.ClassDef) else _bound(node)


def _opens(node: ast.AST) -> bool:
    """Tell whether a statement may bind names, or make classes, that it does not spell out."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Attribute) and node.func.attr == "getLogger")
    return False


def handler_problem(module: Module, function: str | None, name: str = "FILE.py") -> str | None:
    """Return why TorchServe cannot load a handler's file of a ``name``; None where it may.

    It takes the named function, or else ``handle``, or else the only class that the file defines.
    Source: ts/model_loader.py, TsModelLoader.load.
    """
    if function is not None and function not in module.names and not module.open_ended:
        return f"it has no function {function}{_functions(module, name)}"
    if (function or "handle") in module.names:
        return None
    why = _one_class(module, "a class with the method handle, or a function handle(data, context)")
    return f"{why}{_functions(module, name)}" if why and not module.classes else why


def _functions(module: Module, name: str) -> str:
    """Return which functions a file of a ``name`` has, and how one of them becomes the handler."""
    told = module.told_functions
    if not told:
        return "; it defines no function"
    first = module.functions[0][:MAX_NAME]
    return (
        f"; it defines {told}: write package.handler: {name}:{first} for a function of another "
        "name than handle, which takes data and context"
    )


def model_problem(module: Module) -> str | None:
    """Return why BaseHandler cannot take a model's class from a file; None where it may.

    Source: ts/torch_handler/base_handler.py, BaseHandler._load_pickled_model.
    """
    return _one_class(module, "the class of the model, a torch.nn.Module")


def _one_class(module: Module, what: str) -> str | None:
    names = [node.name for node in module.classes]
    if len(names) > 1:
        return (
            f"TorchServe takes exactly one class from it, and it defines {len(names)} "
            f"({', '.join(names[:5])}): move the others to a file in package.extraFiles and "
            "import them from there"
        )
    return None if names or module.open_ended else f"it does not define {what}"


def loads_model_file(module: Module) -> bool:
    """Tell whether a handler certainly leaves the loading of its model file to TorchServe."""
    if len(module.classes) != 1:
        return False
    (handler,) = module.classes
    own = {node.name for node in handler.body if isinstance(node, ast.FunctionDef)}
    bases = {_last_name(base) for base in handler.bases}
    loads = own & {"initialize", "_load_pickled_model"}
    return bool(bases) and bases <= _TORCHSERVE_BASES and not loads


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
