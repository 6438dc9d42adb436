"""The Python environment of the tests: locked by hashes, in the clone's .venv."""

import os
import sys
from pathlib import Path

from dev import packages, paths
from dev.shell import digest, locked, replacing, run, write
from dev.steps import step

UV_VERSION = "0.13.9"
LOCK = paths.REPOSITORY / "requirements-dev.txt"
PROJECTS = tuple(
    paths.REPOSITORY / project for project in ("operator", "images/runtime", "images/python")
)
MARK = paths.VENV / ".slipway"


def ensure() -> None:
    """Make .venv what requirements-dev.txt says, with the workspace's packages linked in."""
    key = digest(sys.version, UV_VERSION, LOCK.read_bytes(), *_project_files())
    if MARK.exists() and MARK.read_text() == key:
        return
    with step("Installing the Python environment into .venv"):
        program = uv()
        python = paths.VENV / "bin" / "python"
        if not python.exists():
            run(program, "venv", "--quiet", "--python", sys.executable, paths.VENV)
        into = ("--python", python)
        run(program, "pip", "sync", "--quiet", "--require-hashes", *into, LOCK, env=_environment())
        linked = [word for project in PROJECTS for word in ("--editable", str(project))]
        run(program, "pip", "install", "--quiet", "--no-deps", *into, *linked, env=_environment())
        write(MARK, key)


def uv() -> Path:
    """Return the pinned uv, installed into the cache if it is not there yet."""
    folder = paths.cache() / f"uv-{UV_VERSION}"
    program = folder / "bin" / "uv"
    if not program.exists():
        packages.ensure(packages.PYTHON)
        with (
            locked(paths.cache() / "uv.lock", "another installation of uv"),
            step(f"Installing uv {UV_VERSION}"),
            replacing(folder) as temporary,
        ):
            run(sys.executable, "-m", "venv", temporary)
            run(temporary / "bin" / "pip", "install", "--quiet", f"uv=={UV_VERSION}")
    return program


def lock() -> None:
    """Pin anew what pyproject.toml and the images' requirements.in ask for."""
    root = paths.REPOSITORY
    path = {**_environment(), "PATH": f"{uv().parent}:{os.environ['PATH']}"}
    with step("Locking requirements-dev.txt"):
        export = ("--quiet", "--all-groups", "--no-emit-workspace", "--no-header")
        run("uv", "lock", "--quiet", "--upgrade", cwd=root, env=path)
        run("uv", "export", *export, "--output-file", LOCK, cwd=root, env=path)
    with step("Locking images/*/requirements.lock"):
        run(root / "images" / "lock", env=path)


def _environment() -> dict[str, str]:
    """Let uv trust this machine's own certificate authorities."""
    return {"UV_SYSTEM_CERTS": "1"}


def _project_files() -> list[bytes]:
    return [(project / "pyproject.toml").read_bytes() for project in PROJECTS]
