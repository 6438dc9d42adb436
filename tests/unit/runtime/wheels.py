"""Wheels that tests make, and a Python that has pip."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    needs: tuple[str, ...] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Make a wheel with one module, whose ``WORD`` is the version; the same bytes each time.

    ``more`` are files beside the module, by their names.
    """
    info = f"{name}-{version}.dist-info"
    wanted = "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}/__init__.py": f"WORD = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in {**files, f"{info}/RECORD": _record(files, info)}.items():
            wheel.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text)
    return path


def _record(files: Mapping[str, str], info: str) -> str:
    rows = [f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items()]
    return "".join([*rows, f"{info}/RECORD,,\n"])


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
