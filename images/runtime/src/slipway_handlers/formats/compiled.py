"""Programs that AOTInductor has compiled: machine code for one level of CPUs and one torch.

Such a file is a ``.pt2`` as torch.export's are, with a shared library in it, which would end the
worker without a word on a CPU that lacks an instruction. So it is asked first what it was compiled
for, which `slipway.export` has written beside the library. Nobody vouches for that: it keeps honest
files from nodes that they are not for, and whether a file may run at all is `code.check_allowed`'s.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slipway_handlers.formats.inputs import Checked, Inputs

FOLDER = "data/aotinductor/"
"""Where a library lies in a file, below the file's only folder."""
METADATA = "_metadata.json"
"""The end of the name of what tells what it was compiled for."""
CPU, TORCH, INPUTS = "slipway.cpu", "slipway.torch", "slipway.inputs"
"""What `slipway.export` tells there."""
MOST_BYTES = 65_536
"""Longest that is read of it."""
LEVELS: Mapping[str, frozenset[str]] = {
    "x86-64-v3": frozenset(
        {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "sse4_2", "xsave"}
    )
}
"""Instructions of a level, as Linux names them in /proc/cpuinfo.

Levels: https://gitlab.com/x86-psABIs/x86-64-ABI, section 3.1.1.
"""
BITS = 256
"""Length of that level's vectors."""
CPUINFO = Path("/proc/cpuinfo")
"""What tells this machine's."""


@dataclass(frozen=True)
class Target:
    """What a program was compiled for: a level of CPUs, a version of torch, and its inputs."""

    cpu: str
    torch: str
    inputs: Inputs


def target(file: Path | IO[bytes]) -> Target | None:
    """Return what a ``.pt2`` was compiled for; None for one that was not compiled, or is none.

    Raises ValueError for a compiled one that does not say.
    """
    try:
        with zipfile.ZipFile(file) as bundle:
            names = [
                each for each in bundle.namelist() if each.partition("/")[2].startswith(FOLDER)
            ]
            if not names:
                return None
            told = [each for each in names if each.endswith(METADATA)]
            data = _read(bundle, told[0]) if told else b"null"
    except Exception:  # of a damaged file, whose loading fails next
        return None
    return _of(data)


def is_compiled(file: Path) -> bool:
    """Tell whether a ``.pt2`` is compiled, whether it says for what or not."""
    try:
        return target(file) is not None
    except ValueError:
        return True


def _read(bundle: zipfile.ZipFile, name: str) -> bytes:
    """Return an entry's beginning, or JSON that says nothing where it is damaged."""
    try:
        with bundle.open(name) as opened:
            return opened.read(MOST_BYTES)
    except Exception:  # zipfile's and the decompressors' are of a dozen kinds
        return b"null"


def _of(data: bytes) -> Target:
    try:
        told = json.loads(data)
        cpu, torch = (_word(told[name]) for name in (CPU, TORCH))
        return Target(cpu, torch, Inputs.read(told[INPUTS]))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            "the program is compiled, and does not say for which CPU, torch and inputs: write it "
            'by slipway.export(model, example, format="aoti")'
        ) from error


def _word(text: Any) -> str:
    if isinstance(text, str) and 0 < len(text) <= 64 and text.isascii() and text.isprintable():
        return text
    raise ValueError("no word")


def instructions(cpuinfo: Path) -> frozenset[str]:
    """Return the names of instructions that all processors of this machine have."""
    lines = [
        line.partition(":")[2].split()
        for line in cpuinfo.read_text("ascii", "replace").splitlines()
        if line.startswith("flags")
    ]
    return frozenset.intersection(*map(frozenset, lines)) if lines else frozenset()


def differences(made_for: Target, torch: str, flags: Collection[str]) -> list[str]:
    """Return what a server lacks of that a program was compiled for, as sentences' ends."""
    found = []
    if made_for.torch != torch:
        found.append(f"torch {made_for.torch}, and this server has {torch}")
    if made_for.cpu not in LEVELS:
        known = ", ".join(LEVELS)
        found.append(f"CPUs of the level {made_for.cpu}, and this server knows {known}")
    elif lacking := LEVELS[made_for.cpu] - set(flags):
        names = ", ".join(sorted(lacking))
        found.append(f"CPUs of the level {made_for.cpu}, and this one lacks {names}")
    return found


def load(path: Path, made_for: Target, device: Any) -> Any:
    """Return a compiled program's model; raises RuntimeError where it is for another server."""
    import torch

    found = differences(made_for, torch.__version__.partition("+")[0], instructions(CPUINFO))
    if device.type != "cpu":
        found.append("CPUs, and this server is to compute on a GPU")
    if found:
        raise RuntimeError(
            f"{path.name} was compiled for {'; for '.join(found)}. Train again in an image with "
            "this server's torch, have its pods run on nodes that can (nodeSelector), or write "
            'format="pt2".'
        )
    # Otherwise torch would look for a compiler, to find out what this CPU can.
    with torch._inductor.config.patch({"cpp.vec_isa_ok": True, "cpp.simdlen": BITS}):
        model = torch._inductor.aoti_load_package(str(path))
    return Checked(model, made_for.inputs)
