"""The packaging pod: from a training job's output to a reproducible ``.mar`` in the store.

Variables: ``SLIPWAY_OUTPUT_URI``, ``SLIPWAY_PACKAGE_URI`` (of the ``.mar``),
``SLIPWAY_LINEAGE_URI``, ``SLIPWAY_PACKAGE`` (JSON of the job's ``spec.package``, with modelName and
modelVersion), ``SLIPWAY_LINEAGE`` (JSON about the job, kept as it is), ``SLIPWAY_SOURCE_DIR``,
``SLIPWAY_GATES`` (JSON of `slipway_pods.package.gates`; none by default) and
``SLIPWAY_ASSOCIATED_DATA`` (what an encrypted archive is bound to). What is too long for one
variable goes on in ``NAME_1``, ``NAME_2`` and so on.

The work is done in ``TMPDIR``, which needs room for about three times the package's files. The
termination message has the reason Packaged, Rejected for an archive that missed a gate, or why
there is none. Exit codes: 0; 75 where the store is unavailable or the program was told to stop, so
that another try is worth it, and safe, as it makes the same bytes again; 65 where the package
itself is wrong, which no other try mends; else 1.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from slipway_pods.package import built_in, machine_code, mar, requirements
from slipway_pods.package.contents import make
from slipway_pods.package.gates import served, verdict
from slipway_pods.package.optimize.choice import packaged_suffix
from slipway_pods.package.optimize.packaged import fitting, with_best
from slipway_pods.package.package_files import PackageFiles
from slipway_pods.package.samples import evaluation, handed
from slipway_pods.package.samples.handed import Built
from slipway_pods.serve import fetch, rejection
from slipway_pods.serve.samples import stored
from slipway_pods.store import credentials, manifest, store
from slipway_pods.trust.believed import SUFFIX
from slipway_pods.trust.errors import TrustError
from slipway_pods.trust.packaged import documents, sealed, signature
from slipway_pods.trust.provenance import Made
from slipway_runtime.checks.package_code import PackageError
from slipway_runtime.termination import (
    EX_DATAERR,
    EX_TEMPFAIL,
    Stopped,
    say,
    stop_on_signal,
    write_message,
)

T = TypeVar("T")

PATIENCE = 60.0
"""How long an unavailable store is asked again before the Job's own back-off takes over."""


@dataclass(frozen=True)
class Settings:
    """What the operator tells this container."""

    output_uri: str
    package_uri: str
    lineage_uri: str
    package: Mapping[str, Any]
    lineage: Mapping[str, Any]
    source_dir: Path
    questions: verdict.Questions
    associated_data: str = ""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings; raises PackageError naming the variable that is missing or wrong."""
        try:
            return cls(
                output_uri=env["SLIPWAY_OUTPUT_URI"].rstrip("/"),
                package_uri=env["SLIPWAY_PACKAGE_URI"],
                lineage_uri=env["SLIPWAY_LINEAGE_URI"],
                package=json.loads(joined(env, "SLIPWAY_PACKAGE")),
                lineage=json.loads(joined(env, "SLIPWAY_LINEAGE")),
                source_dir=Path(env.get("SLIPWAY_SOURCE_DIR", "/slipway/source")),
                questions=_questions(env),
                associated_data=env.get("SLIPWAY_ASSOCIATED_DATA", ""),
            )
        except KeyError as error:
            raise PackageError("InvalidSettings", f"The variable {error} is not set.") from error
        except ValueError as error:
            raise PackageError("InvalidSettings", f"A variable is no JSON: {error}.") from error


Act = Callable[[Settings, Path], dict[str, Any]]
"""What is done in a folder, and returns the last word."""


def _questions(env: Mapping[str, str]) -> verdict.Questions:
    if "SLIPWAY_GATES" not in env:
        return verdict.Questions()
    return verdict.Questions.read(json.loads(joined(env, "SLIPWAY_GATES")))


def joined(env: Mapping[str, str], name: str) -> str:
    """Return a text that may go on in further variables; raises KeyError where there is none."""
    text, part = env[name], 1
    while more := env.get(f"{name}_{part}"):
        text, part = text + more, part + 1
    return text


def patiently(action: Callable[[], T]) -> T:
    """Do something with the store, again for a while where it is unavailable."""
    return store.retry(action, give_up=store.unavailable_for(PATIENCE))


def read_output(uri: str) -> dict[str, manifest.OutputFile]:
    """Return the output's files by path; raises PackageError where the output is not complete."""
    mark = f"{uri}/{manifest.FILE_NAME}"
    try:
        return manifest.decode(patiently(lambda: store.get_bytes(mark, manifest.MAX_BYTES)))
    except store.ObjectNotFoundError as error:
        message = f"The job's output at {uri} is not complete: there is no {mark}."
        raise PackageError("OutputNotFound", message) from error


def built(settings: Settings, output: Mapping[str, manifest.OutputFile], folder: Path) -> Built:
    """Return the archive: made here, or where it has samples by the container before, with them."""
    samples = settings.package.get("samples")
    if samples is None:
        files = PackageFiles(settings.output_uri, output, settings.source_dir, folder, patiently)
        return make(settings.package, files, folder)
    found, rows = handed.taken(), handed.samples()
    entry = handed.answered(rows, float(samples["tolerance"]))
    if optimize := settings.package.get("optimize"):
        found = with_best(optimize, found, folder)
    mar.add(found.archive, stored.ENTRY, entry)
    figures = handed.figures(evaluates="evaluate" in samples)
    basis = evaluation.basis(samples.get("evaluate"))
    return replace(found, rows=len(rows), figures=figures, basis=basis)


def describe(settings: Settings, archive: Path, found: Built) -> dict[str, Any]:
    """Return what the job's status says about the archive, which was made of what is built."""
    return {
        "uri": settings.package_uri,
        "sha256": manifest.digest(archive),
        "sizeBytes": archive.stat().st_size,
        "modelName": settings.package["modelName"],
        "modelVersion": settings.package["modelVersion"],
        "lineageUri": settings.lineage_uri,
        "hasProvenance": True,
        **({"samples": found.rows} if found.rows else {}),
        **({"optimization": list(found.optimization)} if found.optimization else {}),
    }


def lineage(
    settings: Settings,
    output: Mapping[str, manifest.OutputFile],
    described: Mapping[str, Any],
    found: Built,
    rows: Sequence[verdict.Row] = (),
    measured: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the record of where the archive comes from, as JSON.

    ``measured`` is what else was found out about the archive.
    """
    files = [
        {"path": file.path, "sizeBytes": file.size, "sha256": file.sha256}
        for file in output.values()
    ]
    record: dict[str, Any] = {
        "trainingJob": settings.lineage,
        "output": {"uri": settings.output_uri, "files": files},
        "package": {**described, "spec": settings.package},
        **(measured or {}),
    }
    if pickles := built_in.code(settings.package, packaged_suffix(found.optimization)):
        record["runsAsCode"] = pickles
    if rows:
        record["gates"] = [{"metric": row.metric, **row.told} for row in rows]
    if found.packages is not None:
        record["requirements"] = list(found.packages)
    return json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"


def package(settings: Settings, folder: Path) -> dict[str, Any]:
    """Make the archive in a folder, judge, sign, encrypt and store it; return the last word.

    What missed a gate is not signed: a signature is a word for it, wherever it is served.

    Raises PackageError, StoreError, or OSError where the disk is full.
    """
    output = read_output(settings.output_uri)
    found = built(settings, output, folder)
    archive = found.archive
    is_ours = settings.package["handler"] in built_in.HANDLERS
    compiled = machine_code.compiled_for(archive, must_tell=is_ours)
    figures, own = found.figures, verdict.own(archive.stat().st_size, found.figures.latency)
    recorded = served.look(settings.questions, patiently)
    rows = verdict.judge(settings.questions, own, figures.evaluated, recorded, found.basis)
    signed = None
    if verdict.is_rejected(rows):
        mar.add(archive, rejection.MARK, rejection.TEXT)
    else:
        signed = signature(settings.package, archive)
    archive = sealed(settings.package, archive, settings.associated_data)
    described = describe(settings, archive, found)
    if signed is not None:
        put_beside(signed, settings.package_uri + SUFFIX)
    with archive.open("rb") as file:
        patiently(lambda: store.put_file(file, settings.package_uri))
    measured = served.record(settings.questions, own, figures.evaluated, found.basis)
    if compiled:
        measured["compiledFor"] = compiled
    record = lineage(settings, output, described, found, rows, measured)
    made = Made(settings.package_uri.rpartition("/")[2], described["sha256"], json.loads(record))
    beside = settings.lineage_uri.rpartition("/")[0]
    for name, data in documents(settings.package, made, record).items():
        put_beside(data, f"{beside}/{name}")
    put_beside(record, settings.lineage_uri)
    told = {"gates": [row.told for row in rows]} if rows else {}
    return {"reason": _reason(rows), "package": fitting({**described, **told})}


def _reason(rows: Sequence[verdict.Row]) -> str:
    return "Rejected" if verdict.is_rejected(rows) else "Packaged"


def put_beside(data: bytes, uri: str) -> None:
    """Store a small file beside the archive."""
    patiently(lambda: store.put_bytes(data, uri))


def attempt(env: Mapping[str, str], act: Act = package) -> tuple[int, dict[str, Any]]:
    """Package, and return the exit code and the termination message, whatever happens."""
    scratch = Path(tempfile.gettempdir())
    try:
        settings = Settings.from_environment(env)
        with tempfile.TemporaryDirectory() as folder:
            return 0, act(settings, Path(folder))
    except PackageError as error:
        code = 1 if error.reason == requirements.INDEX_UNREACHABLE else EX_DATAERR
        tail = {"logTail": error.log_tail} if error.log_tail else {}
        return code, {"reason": error.reason, "message": str(error), **tail}
    except TrustError as error:
        return EX_DATAERR, {"reason": error.reason, "message": str(error)}
    except (mar.ArchiveError, manifest.OutputError) as error:
        return EX_DATAERR, {"reason": "InvalidPackage", "message": str(error)}
    except KeyError as error:
        message = f"The package has no {error.args[0]}: name it in spec.package."
        return EX_DATAERR, {"reason": "InvalidPackage", "message": message}
    except store.StoreUnavailableError as error:
        return EX_TEMPFAIL, {"reason": error.reason, "message": str(error)}
    except store.StoreError as error:
        return 1, {"reason": error.reason, "message": str(error)}
    except OSError as error:
        reason, message = fetch.disk_problem(error, scratch)
        return 1, {"reason": reason, "message": message}


def main(env: Mapping[str, str], act: Act = package) -> int:
    """Package, or do a part of it; write the termination message, and return the exit code."""
    stop_on_signal()
    try:
        code, message = attempt(env, act)
    except Stopped:
        code = EX_TEMPFAIL
        message = {"reason": "Interrupted", "message": "The pod was told to stop."}
    write_message(message)
    say(message.get("message") or f"{message['reason'].lower()}: {json.dumps(message['package'])}")
    return code


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main(os.environ))
