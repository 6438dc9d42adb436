"""Machine code of a program, by AOTInductor: for one level of CPUs, and one version of torch."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

CPU = "x86-64-v3"
"""The level of CPUs that is compiled for: those with AVX2 (https://gitlab.com/x86-psABIs/x86-64-ABI).

Wherever the training runs, it is the same: the least level for which Inductor computes in vectors.
"""
BITS = 256
"""Length of that level's vectors."""
CPU_KEY, TORCH_KEY, INPUTS_KEY = "slipway.cpu", "slipway.torch", "slipway.inputs"
"""What the file calls that level, torch's version and the inputs, which handlers read."""
MACHINE = "x86_64"
"""What Python calls the machines that have it."""
VECTORS = ("AVX2", "AVX512")
"""What torch calls those of them that have such vectors."""
SIDE = r"L\[[\w'\[\]]+\]\.size\(\)\[\d+\]"
"""One side of an input, as torch writes it."""
CHECKED = re.compile(rf"{SIDE} (== {SIDE}|(==|<=|<|>=|>) \d+)")
"""Conditions on inputs, as torch writes them, that follow from the sides' lengths and bounds."""


def check() -> None:
    """Raise RuntimeError where this image or machine cannot compile."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise RuntimeError(
            f'slipway.export compiles format="aoti" by a C++ compiler, and the image has no '
            f"{compiler}: install it in the image that trains (apt-get install g++), or write "
            'format="pt2"'
        )
    if platform.machine() != MACHINE:
        raise RuntimeError(
            f'slipway.export compiles format="aoti" for {CPU}, and this machine is '
            f'{platform.machine()}: write format="pt2"'
        )


def save(program: Any, place: Path) -> None:
    """Compile a program, and write it with what it was compiled for beside the library.

    Raises RuntimeError where this machine could not run it, or this torch not compile for another
    machine; ValueError for a program that cannot be compiled.
    """
    import torch
    from torch._inductor import config

    able = torch.backends.cpu.get_cpu_capability()
    if able not in VECTORS:
        raise RuntimeError(
            f'slipway.export compiles format="aoti" for {CPU}, which has AVX2, and this CPU '
            f'has {able}: train on a node with AVX2, or write format="pt2"'
        )
    if not hasattr(config.cpp, "march"):
        raise RuntimeError(
            'slipway.export compiles format="aoti" with a torch that compiles for other CPUs '
            f'than its own, such as 2.13, and the image has {torch.__version__}: write format="pt2"'
        )
    told = {
        CPU_KEY: CPU,
        TORCH_KEY: torch.__version__.partition("+")[0],
        INPUTS_KEY: json.dumps(_inputs(program)),
    }
    wanted = {
        "cpp.march": CPU,
        "cpp.simdlen": BITS,
        "cpp.threads": 1,  # in several an index that is out of range would end the worker
        "aot_inductor.metadata": told,
    }
    try:
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(place), inductor_configs=wanted
        )
    except Exception as error:  # Inductor's and the compiler's are of a dozen kinds
        raise ValueError(
            f'The model cannot be compiled: {error}\nWrite format="pt2" or format="onnx".'
        ) from error


def _inputs(program: Any) -> dict[str, Any]:
    """Return types and shapes of the program's inputs, with bounds of sides that may be any.

    The machine code looks at none of them, and so they are compared before it is asked. Raises
    ValueError where they are not all that the program needs.
    """
    for condition in getattr(program, "_guards_code", ()):
        if not CHECKED.fullmatch(condition):
            raise _unchecked(condition)
    named = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    given = [named[name] for name in program.graph_signature.user_inputs]
    sides: dict[str, list[int | None]] = {}
    inputs = [
        {
            "dtype": str(each.dtype).partition(".")[2],
            "shape": [_side(side, program, sides) for side in each.shape],
        }
        for each in given
    ]
    return {"inputs": inputs, "sides": sides}


def _side(side: Any, program: Any, sides: dict[str, list[int | None]]) -> int | str:
    """Return a side's length, or its name, whose bounds are then among the sides."""
    if isinstance(side, int):
        return side
    expression = side.node.expr
    if not expression.is_Symbol:
        raise _unchecked(f"a side is {expression}")
    bounds = program.range_constraints[expression]
    # Of a side that may have any length torch says that it is 2 at least.
    least = 1 if bounds.lower <= 2 else int(bounds.lower)
    sides[str(expression)] = [least, int(bounds.upper) if bounds.upper.is_Integer else None]
    return str(expression)


def _unchecked(condition: str) -> ValueError:
    return ValueError(
        f"The model cannot be compiled: nothing would look whether what it is given fulfils "
        f'"{condition}". Write format="pt2" or format="onnx".'
    )


def load(place: Path) -> Any:
    """Return what was compiled here."""
    import torch

    with torch._inductor.config.patch({"cpp.vec_isa_ok": True, "cpp.simdlen": BITS}):
        return torch._inductor.aoti_load_package(str(place))
