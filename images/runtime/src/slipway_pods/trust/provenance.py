"""Where an archive comes from, in two documents that other tools read.

A provenance in SLSA's words says what was run on what; a bill of materials in CycloneDX's says what
is in the archive. Both are made of the job's record by the packaging pod, not by the training's
code, and hold no time: the same archive has the same documents.

Source: https://slsa.dev/spec/v1.1/provenance, whose extension fields are called VENDOR_NAME, and
https://cyclonedx.org/docs/1.6/json/
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from slipway_pods.trust.bundle import STATEMENT_TYPE

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://slipway.dev/packaging/v1"
BUILDER = "https://slipway.dev/packager"
NO_DIGEST = "unknown: the kubelet named no registry's digest of this image"
"""What is said of an image in place of its digest."""
_SHA256_DIGITS = 64
Record = Mapping[str, Any]
_OF_JOB = ("trainingJob", "trainingJobUID", "modelVersion")
"""What a record says of an input that is another job's archive."""


@dataclass(frozen=True)
class Made:
    """An archive as it is stored: its name and SHA-256, and the job's record of it."""

    name: str
    sha256: str
    record: Record


def statement(made: Made, others: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the in-toto statement about an archive and about ``others``, documents by name."""
    digests = {made.name: made.sha256}
    digests |= {name: hashlib.sha256(data).hexdigest() for name, data in others.items()}
    job = made.record["trainingJob"]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "trainingJob": job,
                    "package": made.record["package"]["spec"],
                },
                "resolvedDependencies": list(_dependencies(made.record)),
            },
            "runDetails": {
                "builder": {"id": BUILDER},
                "metadata": {"invocationId": f"{job.get('uid', '')}/{made.name}"},
                **({"slipway_gates": gates} if (gates := made.record.get("gates")) else {}),
            },
        },
    }


def _dependencies(record: Record) -> Iterator[dict[str, Any]]:
    """Yield what an archive was made of and judged by, each with its digest where that is known."""
    job, output = record["trainingJob"], record["output"]
    digest = image_digest(job)
    missing = {"annotations": {"slipway_digest": NO_DIGEST}}
    known = {"digest": {"sha256": digest}} if digest else missing
    yield {"name": "image", "uri": str(job.get("image", "")), **known}
    if revision := job.get("sourceRevision"):
        yield {"name": "source", **_source(job, revision)}
    for each in job.get("inputs", ()):
        known = {"digest": {"sha256": each["sha256"]}} if each.get("sha256") else {}
        told = {key: each[key] for key in _OF_JOB if each.get(key)}
        whose = {"annotations": told} if told else {}
        yield {"name": f"inputs/{each['name']}", "uri": each["uri"], **known, **whose}
    for file in output["files"]:
        name, uri = f"output/{file['path']}", f"{output['uri']}/{file['path']}"
        yield {"name": name, "uri": uri, "digest": {"sha256": file["sha256"]}}
    if program := record.get("evaluation"):
        named = {"function": record["package"]["spec"]["samples"]["evaluate"]}
        known = {"digest": {"sha256": program["sha256"]}}
        yield {"name": "evaluation", **known, "annotations": named}


def _source(job: Record, revision: str) -> dict[str, Any]:
    """Return where a source came from, and its commit or its archive's SHA-256.

    A repository's URI is as SPDX writes it, ``git+https://``. A record of an earlier release may
    lack the source: its commit has 40 digits then.
    """
    told = job.get("source") or {}
    if git := told.get("git"):
        return {"uri": _repository(str(git["url"])), "digest": {"gitCommit": revision}}
    archive = told.get("archive")
    kind = "sha256" if archive or len(revision) == _SHA256_DIGITS else "gitCommit"
    return {**({"uri": archive["uri"]} if archive else {}), "digest": {kind: revision}}


def _repository(url: str) -> str:
    """Return a repository's URI; ``user@host:path`` stands for one of SSH."""
    return f"git+{url}" if "://" in url else f"git+ssh://{url.replace(':', '/', 1)}"


def image_digest(job: Record) -> str | None:
    """Return the registry's SHA-256 of the image that trained; None where it is not known."""
    return str(job.get("imageDigest") or "").removeprefix("sha256:") or None


def bill(made: Made) -> dict[str, Any]:
    """Return the bill of materials of an archive."""
    components = list(_components(made.record))
    described = made.record["package"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "model",
                "name": described["modelName"],
                "version": described["modelVersion"],
                "hashes": _hashes(made.sha256),
                "modelCard": _card(made.record["trainingJob"]),
                **_verdicts(made.record),
            }
        },
        "components": components,
        "dependencies": [{"ref": "model", "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _card(job: Record) -> dict[str, Any]:
    """Return the data that a model was trained on, and the figures that its script reported."""
    rows = (each for each in job.get("inputs", ()) if not each.get("trainingJob"))
    data = [{"ref": f"input:{each['name']}"} for each in rows]
    figures = [
        {"type": name, "value": str(value)} for name, value in job.get("metrics", {}).items()
    ]
    return {
        **({"modelParameters": {"datasets": data}} if data else {}),
        **({"quantitativeAnalysis": {"performanceMetrics": figures}} if figures else {}),
    }


def _verdicts(record: Record) -> dict[str, Any]:
    """Return what each gate said of a model, as properties that other tools show."""
    gates = record.get("gates", ())
    told = [{"name": f"slipway:gate:{one['metric']}", "value": one["verdict"]} for one in gates]
    return {"properties": told} if told else {}


def _components(record: Record) -> Iterator[dict[str, Any]]:
    job = record["trainingJob"]
    digest = image_digest(job)
    yield {
        "type": "container",
        "bom-ref": "image",
        "name": str(job.get("image", "")),
        **({"version": f"sha256:{digest}", "hashes": _hashes(digest)} if digest else {}),
    }
    for each in job.get("inputs", ()):
        yield {
            "bom-ref": f"input:{each['name']}",
            "name": each["name"],
            **_kind(each),
            **({"hashes": _hashes(each["sha256"])} if each.get("sha256") else {}),
        }
    for file in record["output"]["files"]:
        yield {
            "type": "file",
            "bom-ref": f"output:{file['path']}",
            "name": file["path"],
            "hashes": _hashes(file["sha256"]),
        }
    for package in record.get("requirements", ()):
        yield {
            "type": "library",
            "bom-ref": f"pypi:{package['name']}",
            "name": package["name"],
            "version": package["version"],
            "purl": _purl(package["name"], package["version"]),
            **({"hashes": _hashes(package["sha256"])} if package.get("sha256") else {}),
        }


def _kind(each: Record) -> dict[str, Any]:
    """Return what an input is: rows, or the model of another job."""
    if not each.get("trainingJob"):
        dataset = {"type": "dataset", "name": each["name"], "contents": {"url": each["uri"]}}
        return {"type": "data", "data": [dataset]}
    version = {"version": each["modelVersion"]} if each.get("modelVersion") else {}
    where = [{"type": "distribution", "url": each["uri"]}]
    return {"type": "machine-learning-model", **version, "externalReferences": where}


def _purl(name: str, version: str) -> str:
    """Return a package's URL, each part as https://github.com/package-url/purl-spec says."""
    return f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version, safe='')}"


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]
