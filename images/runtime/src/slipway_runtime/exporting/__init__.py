"""A model with its program in one file, which is served without the class that it is of."""

from __future__ import annotations

import copy
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slipway_runtime.exporting import compiling

PT2, ONNX, AOTI = "pt2", "onnx", "aoti"
NEEDED = {PT2: (), ONNX: ("onnx", "onnxscript"), AOTI: ()}
"""Packages that a format needs beside torch; each has its own name as a module too."""
ROWS = (1, 3)
"""How many rows an exported model is tried with: it must take one alone, and several."""
SEED = 0
CLOSE = 1e-3
"""By how much an exported model's answers may differ, as a share of the greatest of them."""


def export(
    model: Any,
    example: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,  # noqa: A002 - named as what users look for
    dynamic: Iterable[int] = (0,),
    folder: str | os.PathLike[str] | None = None,
) -> Path | None:
    """Write a model with its program, and return the file's path.

    ``format`` is ``"pt2"`` (torch.export), ``"onnx"`` or ``"aoti"`` (a ``.pt2`` that AOTInductor
    compiles, for CPUs with AVX2 and this version of torch), or else follows from the path, which is
    ``model.pt2`` by default. ``example`` is the model's input, a tensor or a tuple of several: of
    it the file keeps types and shapes, and no value. The sides that ``dynamic`` numbers may have
    any length: the first, the rows, by default; ``(0, 1)`` for texts. The model is exported as it
    is in ``eval()`` on the CPU, and not changed. The file goes to ``folder`` or else to the job's
    output; outside Slipway, and by another process than rank 0's, nothing is written.

    Raises ValueError for another format, or a model that cannot be exported or answers otherwise
    afterwards; ModuleNotFoundError where the image lacks a package that the format needs, and
    RuntimeError where image or machine lack what ``"aoti"`` needs, such as a C++ compiler.
    """
    kind, name = _kind(path, format)
    target = folder or os.environ.get("SLIPWAY_OUTPUT_DIR")
    if not target or os.environ.get("RANK", "0") != "0":
        return None
    _check_packages(kind)
    if kind == AOTI:
        compiling.check()
    whole = _plain(model)
    inputs = _inputs(example, tuple(dynamic))
    program = _program(whole, inputs, tuple(dynamic))
    _check_answers(whole, program.module(), inputs)
    place = Path(target, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    {ONNX: _save_onnx, PT2: _save_program, AOTI: _save_compiled}[kind](program, inputs, place)
    return place


def _kind(path: Any, given: str | None) -> tuple[str, str]:
    """Return the format, and the file's name."""
    end = PT2 if given == AOTI else given
    kind = (end or PT2) if path is None else Path(path).suffix[1:]
    if kind not in (PT2, ONNX) or end not in (None, kind):
        raise ValueError(
            'slipway.export writes "model.pt2" and "model.onnx": name the file so, or write '
            f'format="pt2", format="onnx" or format="aoti" (not {kind!r})'
        )
    name = f"model.{kind}" if path is None else os.fspath(path)
    return AOTI if given == AOTI else kind, name


def _check_packages(kind: str) -> None:
    lacking = [name for name in NEEDED[kind] if importlib.util.find_spec(name) is None]
    if lacking:
        names = " and ".join(lacking)
        raise ModuleNotFoundError(
            f"slipway.export needs {names} for {kind}: install it in the image that trains "
            f"(pip install {' '.join(lacking)}), which the release's own has, or write "
            'format="pt2"'
        )


def _plain(model: Any) -> Any:
    """Return a copy of a model on the CPU, as it answers when it is served."""
    from torch.nn.parallel import DistributedDataParallel

    bare = model.module if isinstance(model, DistributedDataParallel) else model
    return copy.deepcopy(bare).cpu().eval()


def _inputs(example: Any, dynamic: tuple[int, ...]) -> tuple[Any, ...]:
    """Return inputs of the example's types and shapes that hold nothing of it.

    A side of any length has at least two, as torch takes one alone for what it always is, and no
    two of them are alike, as torch would take them for one.
    """
    import torch

    given = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not given or not all(isinstance(each, torch.Tensor) for each in given):
        raise ValueError("slipway.export takes an example of a tensor, or of a tuple of tensors")
    kept = {size for each in given for size in each.shape}
    lengths: dict[int, int] = {}
    for side in dynamic:
        longest = max([2, *(each.shape[side] for each in given if each.dim() > side)])
        wanted = 2 if side == 0 else longest
        while wanted in kept - {longest} or wanted in lengths.values():
            wanted += 1
        lengths[side] = wanted
    return tuple(_zeros(each, lengths) for each in given)


def _zeros(like: Any, lengths: dict[int, int]) -> Any:
    import torch

    shape = [lengths.get(side, size) for side, size in enumerate(like.shape)]
    return torch.zeros(shape, dtype=like.dtype)


def _program(model: Any, inputs: tuple[Any, ...], dynamic: tuple[int, ...]) -> Any:
    """Return the program of torch.export; raises ValueError where the model has none."""
    import torch

    any_length = torch.export.Dim.DYNAMIC
    sides = tuple({side: any_length for side in dynamic if side < each.dim()} for each in inputs)
    try:
        with torch.no_grad():
            return torch.export.export(model, inputs, dynamic_shapes=sides)
    except Exception as error:  # torch raises errors of a dozen kinds, some of them private
        raise ValueError(
            f"The model cannot be exported: {error}\nWrite in `dynamic` the sides that may have "
            "any length, or save its state_dict and name package.modelFile."
        ) from error


def _check_answers(model: Any, exported: Any, inputs: tuple[Any, ...]) -> None:
    """Raise ValueError where it answers one row, or several, otherwise than the model."""
    import torch

    chance = torch.Generator().manual_seed(SEED)
    for rows in ROWS:
        given = tuple(_some(each, rows, chance) for each in inputs)
        with torch.inference_mode():
            expected = _flat(model(*given))
            try:
                told = _flat(exported(*given))
            except Exception as error:
                raise ValueError(
                    f"The exported model does not take {rows} rows: {error}"
                ) from error
        pairs = zip(told, expected)
        if len(told) != len(expected) or not all(_is_close(*pair) for pair in pairs):
            raise ValueError(
                "The exported model answers otherwise than the model: does it draw random numbers, "
                "or branch on what it is given?"
            )


def _some(like: Any, rows: int, chance: Any) -> Any:
    """Return rows of noise, or of zeros where the numbers are whole: those may be of tokens."""
    import torch

    shape = (rows, *like.shape[1:]) if like.dim() else ()
    if not like.dtype.is_floating_point:
        return torch.zeros(shape, dtype=like.dtype)
    return torch.randn(shape, generator=chance).to(like.dtype)


def _flat(output: Any) -> list[Any]:
    """Return the tensors of an output, however it holds them."""
    from torch.utils import _pytree

    leaves = _pytree.tree_leaves(output)
    return [each for each in leaves if hasattr(each, "dtype")]


def _is_close(told: Any, expected: Any) -> bool:
    if told.shape != expected.shape:
        return False
    if not expected.numel():
        return True
    distance = (told.double() - expected.double()).abs().nan_to_num(0.0).max()
    return bool(distance <= CLOSE * expected.double().abs().nan_to_num(0.0).max())


def _save_program(program: Any, inputs: tuple[Any, ...], place: Path) -> None:
    import torch

    program.example_inputs = None  # zeros, of which a file of pictures would be made larger
    torch.export.save(program, place)


def _save_compiled(program: Any, inputs: tuple[Any, ...], place: Path) -> None:
    """Compile the program, and write it if the machine code answers as it does."""
    compiling.save(program, place)
    try:
        _check_answers(program.module(), compiling.load(place), inputs)
    except ValueError:
        place.unlink()
        raise


def _save_onnx(program: Any, inputs: tuple[Any, ...], place: Path) -> None:
    """Write the program as ONNX, its weights in the same file."""
    import torch

    torch.onnx.export(program, inputs, str(place), dynamo=True, external_data=False, verbose=False)
