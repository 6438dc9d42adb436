"""The packages of a requirements file, installed once from wheels, to lie in the archive.

TorchServe would install them each time a pod starts, from whatever the index has that day. Here pip
installs them into a folder whose content goes to the archive's first level, which is where
TorchServe's own pip puts them and where the handler imports from. What the torch layer has, which
every server image is made of, is left out.

No code of a package is run: only wheels are taken, and the file that pip reads is written anew from
what `requirements_file.parse` understood of the user's. pip sees none of this program's variables.
"""

import csv
import io
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from slipway_pods.package.requirements_file import RequirementsError, parse
from slipway_runtime import strict
from slipway_runtime.checks.package_code import PackageError
from slipway_runtime.termination import read_tail

TORCH_LOCK = Path("/opt/slipway/locks/torch.lock")
"""What the torch layer has, in the images that are made of it."""
LONGEST_SECONDS = 1800.0
"""Longest time that pip gets, in seconds."""
MAX_REPORT_BYTES = 64 * 1024 * 1024
"""Longest report of pip's that is read, in bytes."""
MAX_LOG_BYTES = 1024 * 1024
"""Most of pip's output that is read, in bytes."""
INDEX_UNREACHABLE = "IndexUnreachable"
"""Reason where pip's index does not answer, which another try may mend."""
UNREACHABLE = ("connection broken by", "Failed to establish a new connection", "Read timed out")
"""What pip says of an index that does not answer."""
OPTIONS = (
    *("--isolated", "--disable-pip-version-check", "--no-input", "--no-cache-dir"),
    *("--retries", "2", "--timeout", "15"),
)
INSTALL = ("--only-binary", ":all:", "--no-compile", "--no-warn-script-location")
LEFT_OUT = frozenset({"direct_url.json"})
"""Files of a package's records that name the folder that it was installed from."""


@dataclass(frozen=True)
class Installed:
    """A folder with the installed packages, and which they are: name, version and SHA-256."""

    folder: Path
    packages: tuple[Mapping[str, str], ...]


def install(
    requirements: Path, beside: Path, scratch: Path, *, python: Path | None = None
) -> Installed:
    """Install the packages of a requirements file; paths in it are relative to ``beside``.

    The file itself comes to lie with the packages. ``python`` is one that has pip, by default this
    one. Raises PackageError with the last lines of pip's output.
    """
    environment = scratch / "environment"
    plain, report = scratch / "requirements.plain.txt", scratch / "report.json"
    try:
        with requirements.open("rb") as file:
            plain.write_text(parse(file, beside), encoding="utf-8")
    except RequirementsError as error:
        raise _invalid(requirements.name, str(error)) from error
    venv.create(environment, symlinks=True, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    assumed = assume(site, _locked(TORCH_LOCK))
    inside = ("--python", str(environment / "bin" / "python"), *OPTIONS)
    words = ("install", *INSTALL, "--progress-bar", "off", "--report", str(report))
    command = [
        str(python or sys.executable),
        "-I",
        "-m",
        "pip",
        *inside,
        *words,
        "--requirement",
        str(plain),
    ]
    _run(command, scratch, requirements.name)
    for folder in assumed:
        shutil.rmtree(folder, ignore_errors=True)
    _settle(site)
    shutil.copyfile(requirements, site / requirements.name)
    return Installed(site, _packages(report))


def _locked(lock: Path) -> Iterator[str]:
    """Yield the names in a lock file, which has ``name==version`` at the beginning of a line."""
    if lock.exists():
        for line in lock.read_text("utf-8").splitlines():
            name, pinned, _ = line.partition("==")
            if pinned and not line.startswith((" ", "#")):
                yield name


def assume(site: Path, names: Iterator[str]) -> list[Path]:
    """Have pip take packages of this Python for installed there; returns their records."""
    made = []
    for name in dict.fromkeys(names):  # a lock names some twice, for two versions of Python
        try:
            known = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # it is for another Python
            continue
        folder = site / f"{name.replace('-', '_')}-{known.version}.dist-info"
        folder.mkdir()
        files = {"METADATA": known.read_text("METADATA") or "", "INSTALLER": "pip\n"}
        files["RECORD"] = "".join(f"{folder.name}/{one},,\n" for one in (*files, "RECORD"))
        for each, text in files.items():
            (folder / each).write_text(text, encoding="utf-8")
        made.append(folder)
    return made


def _run(command: Sequence[str], scratch: Path, name: str) -> None:
    """Run pip to its end; its output goes to the log, and its last lines into the error."""
    output, empty = scratch / "pip.log", scratch / "empty"
    empty.mkdir()
    env = {"HOME": str(empty), "TMPDIR": str(scratch), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    with output.open("wb") as log:
        try:
            done = subprocess.run(
                command,
                cwd=empty,
                env=env,
                stdout=log,
                timeout=LONGEST_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
            )
            ended = f"pip ended with exit code {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            ended = f"pip was ended after {LONGEST_SECONDS:.0f} s"
    with output.open("rb") as log:
        text = log.read(MAX_LOG_BYTES).decode("utf-8", "replace")
    print(text, file=sys.stderr, flush=True)
    if ended:
        raise _failed(name, ended, any(word in text for word in UNREACHABLE), read_tail(output))


def _invalid(name: str, why: str) -> PackageError:
    return PackageError("InvalidRequirements", f"package.requirementsFile {name!r}: {why}")


def _failed(name: str, ended: str, unreachable: bool, tail: str) -> PackageError:
    reason, hint = (
        (
            INDEX_UNREACHABLE,
            "its index does not answer. Let the packaging pod reach it (NetworkPolicies, DNS), "
            "name another one by --index-url in the file, or put the wheels into "
            "package.extraFiles and write --no-index and --find-links",
        )
        if unreachable
        else (
            "RequirementsFailed",
            "only wheels are installed here. For a package that has none, build one, or write "
            "package.installRequirements: AtStart",
        )
    )
    message = f"package.requirementsFile {name!r}: {ended}: {hint}."
    return PackageError(reason, message, tail)


def _settle(site: Path) -> None:
    """Take away what differs from one installation of the same wheels to the next."""
    for cache in list(site.rglob("__pycache__")):
        shutil.rmtree(cache)
    for record in site.glob("*.dist-info/RECORD"):
        rows = csv.reader(io.StringIO(record.read_text("utf-8")))
        kept = [row for row in rows if row and _stays(row[0])]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(sorted(kept))
        record.write_text(text.getvalue(), encoding="utf-8")
        for name in LEFT_OUT:
            (record.parent / name).unlink(missing_ok=True)


def _stays(path: str) -> bool:
    """Tell whether a recorded file is in the archive: a package's programs in ``bin`` are not."""
    return not path.startswith("../") and Path(path).name not in LEFT_OUT


def _packages(report: Path) -> tuple[Mapping[str, str], ...]:
    """Return what pip's report says it installed.

    Source: https://pip.pypa.io/en/stable/reference/installation-report/
    """
    with report.open("rb") as file:
        found = strict.loads(file.read(MAX_REPORT_BYTES + 1), MAX_REPORT_BYTES)
    return tuple(sorted(map(_package, found["install"]), key=lambda one: one["name"]))


def _package(item: Mapping[str, Any]) -> Mapping[str, str]:
    known, hashes = (
        item["metadata"],
        item["download_info"].get("archive_info", {}).get("hashes", {}),
    )
    digest = {"sha256": hashes["sha256"]} if "sha256" in hashes else {}
    return {"name": known["name"], "version": known["version"], **digest}
