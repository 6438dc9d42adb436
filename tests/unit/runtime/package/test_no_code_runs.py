"""The packager has the keys: nothing of what it packs runs in it, whatever is a program there."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.trust import bundle
from tests.harness.s3 import S3Server
from tests.unit.runtime.package.test_package import MODEL_KEY, SPEC, Packager
from tests.unit.runtime.trust import keysets, signers
from tests.unit.runtime.wheels import make_wheel

PROGRAM = """
import os
import sys
from pathlib import Path

from slipway_pods.trust import packaged

packaged.KEYSET, packaged.PRIVATE_KEY = map(Path, sys.argv[1:3])
sys.executable = sys.argv[3]

from slipway_pods.package import package

sys.exit(package.main(os.environ))
"""
"""The packager as its pod starts it, with other places for the keys and for the Python with pip."""
CONTENT = "class Net: ...\ndef handle(data, context): ...\n"
SHADOWS = ("json", "yaml", "zipfile", "cryptography", "sitecustomize", "usercustomize", "setup")
"""Modules that a Python program imports, or that something else runs."""


class Runs:
    """Pickles as code that runs when it is loaded."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, Any]:
        return exec, (self._code,)


class Trapped:
    """A package all of whose files leave a mark when they run."""

    def __init__(self, s3: S3Server, folder: Path, word: Path) -> None:
        self.ran = folder / "ran"
        self.code = f"open({str(self.ran)!r}, 'a').write('ran')\n"
        self.packager = Packager(s3, folder, word)
        source = self.packager.source
        for name in ("net", "handler", *SHADOWS):
            (source / f"{name}.py").write_text(f"{self.code}{CONTENT}")
        (source / "helpers").mkdir()
        (source / "helpers" / "__init__.py").write_text(self.code)
        (self.packager.output / "model.pt").write_bytes(pickle.dumps(Runs(self.code)))
        programs = dict.fromkeys(("sitecustomize.py", "pip/__init__.py"), self.code)
        more = {"outer.pth": f"import os; {self.code}", **programs}
        wheel = make_wheel(source / "wheels", "outer", more=more)
        (source / "requirements.txt").write_text(f"--no-index\n./wheels/{wheel.name}\n")
        self.packager.store()

    def package(self, keys: tuple[Path, Path], python: Path, handler: str) -> int:
        """Package all of it, with the source as the working folder."""
        spec = {
            **SPEC,
            "handler": handler,
            "requirementsFile": "requirements.txt",
            "extraFiles": ["helpers", "wheels"],
            "sign": {"keySecretRef": {}},
            "encrypt": {"keySecretRef": {}},
        }
        argv = [sys.executable, "-I", "-c", PROGRAM, *map(str, keys), str(python)]
        env, source = self.packager.env(spec), self.packager.source
        return subprocess.run(argv, cwd=source, env=env, timeout=120, check=False).returncode


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The files of the keyset and of the key that signs."""
    keyset, private = tmp_path / "keyset.json", tmp_path / "private.pem"
    keyset.write_text(keysets.KEYSET)
    private.write_bytes(signers.private_pem(signers.private()))
    return keyset, private


@pytest.fixture
def trapped(s3: S3Server, tmp_path: Path, termination_log: Path) -> Trapped:
    return Trapped(s3, tmp_path, termination_log)


@pytest.mark.parametrize("handler", ["handler.py", "handler.py:handle", "sklearn"])
def test_no_code_of_a_package_runs_in_the_program_that_has_the_keys(
    trapped: Trapped, keys: tuple[Path, Path], pip_python: Path, handler: str
) -> None:
    assert trapped.package(keys, pip_python, handler) == 0, trapped.packager.word
    assert not trapped.ran.exists()
    stored, private = trapped.packager.s3, signers.private()
    assert bundle.verified(stored.read(f"{MODEL_KEY}.sig"), [private.public_key()])
    assert trapped.code.encode() not in stored.read(MODEL_KEY)  # it was encrypted


def by_import(trapped: Trapped) -> None:
    subprocess.run([sys.executable, "-c", "import net"], cwd=trapped.packager.source, check=True)


def by_loading(trapped: Trapped) -> None:
    pickle.loads((trapped.packager.output / "model.pt").read_bytes())  # noqa: S301 - our own


@pytest.mark.parametrize("how", [by_import, by_loading])
def test_the_traps_of_that_test_go_off(trapped: Trapped, how: Callable[[Trapped], None]) -> None:
    how(trapped)
    assert trapped.ran.exists()
