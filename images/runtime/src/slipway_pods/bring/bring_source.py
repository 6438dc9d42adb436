"""Bring a training script's source from a git repository or an archive: an init container.

Variables: ``SLIPWAY_SOURCE`` (JSON: ``{"git": {"url", "ref", "submodules"}}`` or ``{"archive":
{"uri", "sha256"}}``) and ``SLIPWAY_SOURCE_DIR`` (where it goes). Credentials are those of
`slipway_pods.store.credentials`: for git ``username`` and ``password``, over SSH ``ssh-privatekey``
and ``known_hosts`` (as variables ``SLIPWAY_GIT_KEY`` and ``SLIPWAY_GIT_KNOWN_HOSTS``). The
termination message says which ``revision`` was brought: the commit, or the archive's SHA-256.
``SLIPWAY_PACKAGE_CODE`` (JSON: handler, modelFile, extraFiles, evaluate) names what is to be
imported of it when it is packaged or served, in ``SLIPWAY_PACKAGE_FOLDER``.
"""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods import room
from slipway_pods.bring import archive, bringing, download, git_submodules
from slipway_pods.bring.git_source import Repository, fetch
from slipway_pods.store import credentials, manifest, store
from slipway_runtime.checks.package_code import check_source


def bring(source: Mapping[str, Any], folder: Path, opened: Mapping[str, str]) -> str:
    """Put a source's files into a folder, and return the revision that they are."""
    if "git" in source:
        return bring_commit(source["git"], folder, opened)
    return bring_archive(source["archive"], folder)


def bring_commit(git: Mapping[str, Any], folder: Path, opened: Mapping[str, str]) -> str:
    """Put the files of a commit into a folder, and return the commit's hash."""
    repository = Repository(
        git["url"],
        username=opened.get("username", ""),
        password=opened.get("password", ""),
        key=opened.get("ssh-privatekey") or opened.get("SLIPWAY_GIT_KEY", ""),
        known_hosts=opened.get("known_hosts") or opened.get("SLIPWAY_GIT_KNOWN_HOSTS", ""),
    )
    depth = git_submodules.MAX_DEPTH if git.get("submodules") else 0
    return store.retry(
        lambda: fetch(repository, git.get("ref") or "", folder, depth=depth),
        give_up=store.unavailable_for(download.PATIENCE),
    )


def bring_archive(wanted: Mapping[str, Any], folder: Path) -> str:
    """Unpack an archive into a folder, and return its digest; one with another is not unpacked."""
    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary)
        listing = download.bring(wanted["uri"], where, "source")
        if listing.is_folder:
            raise store.ObjectNotFoundError(f"{wanted['uri']} is a folder, not an archive.")
        if wanted.get("sha256"):
            download.check(where, listing, wanted["sha256"], wanted["uri"])
        (name,) = listing.files
        archive.unpack(where / name, folder)
        return manifest.digest(where / name)


def bound_files(folder: Path) -> None:
    """Let no file of this process grow beyond the room there is: a git server says no size."""
    most = room.free(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def bring_and_check(source: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Bring the source, and refuse what it has of ``SLIPWAY_PACKAGE_CODE`` that is wrong."""
    revision = bring(source, folder, credentials.current())
    where = os.environ.get("SLIPWAY_PACKAGE_FOLDER") or folder
    check_source(json.loads(os.environ.get("SLIPWAY_PACKAGE_CODE", "{}")), Path(where))
    return {"revision": revision}


def main() -> int:
    """Bring the source; returns the exit code."""
    source = json.loads(os.environ["SLIPWAY_SOURCE"])
    folder = Path(os.environ["SLIPWAY_SOURCE_DIR"])
    what = source["git"]["url"] if "git" in source else source["archive"]["uri"]
    return bringing.run(
        lambda: bring_and_check(source, folder),
        f"The source {what} is there",
        "SourceNotFound",
    )


if __name__ == "__main__":
    credentials.hold()
    bound_files(Path(os.environ["SLIPWAY_SOURCE_DIR"]))
    sys.exit(main())
