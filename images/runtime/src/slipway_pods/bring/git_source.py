"""One commit of a git repository, brought into a folder: the files alone, without the history.

Submodules are brought where they are wanted; files in large-file storage are left out. Failures are
those of `slipway_pods.store.store`.
"""

import contextlib
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3.exceptions
from dulwich import client, index
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Commit, ObjectID, Tag
from dulwich.repo import Repo

from slipway_pods import room
from slipway_pods.bring import git_ssh, git_submodules
from slipway_pods.store import store, store_errors
from slipway_runtime.termination import join_names

HEX_DIGITS = frozenset("0123456789abcdef")
SHA1_LENGTH = 40
MAX_ENTRIES = 200_000
"""Most files and folders of a commit."""
MAX_SUBMODULES = 256
"""Most submodules of a source, those in submodules counted: two in each of 8 levels are 510."""
MAX_NAMED = 10
"""Most branches and tags that a message names."""

_SERVER_ERROR = re.compile(r"unexpected http resp (5\d\d|429)", re.IGNORECASE)
_UNREACHABLE = (OSError, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class Repository:
    """Where a repository is, and who asks for it; all but the URL may be empty for a public one.

    ``key`` and ``known_hosts`` are the texts of a private key and of a file of known hosts: a
    repository over SSH needs both.
    """

    url: str
    username: str = ""
    password: str = ""
    key: str = ""
    known_hosts: str = ""

    def open(self) -> tuple[client.GitClient, bytes]:
        """Return the client for the repository, and the repository's path on its server."""
        if git_ssh.is_ssh(self.url):
            over_ssh, place = git_ssh.client(self.url, self.key, self.known_hosts)
            return over_ssh, place.encode()
        pool = client.default_urllib3_manager(
            None, base_url=self.url, timeout=git_ssh.TIMEOUT_SECONDS
        )
        credentials: dict[str, Any] = {}
        if self.username or self.password:
            credentials = {"username": self.username or "git", "password": self.password}
        over_http = self.url.startswith("http")
        if over_http:
            credentials["pool_manager"] = pool
        found, path = client.get_transport_and_path(self.url, **credentials)
        return found, path.encode()


def fetch(repository: Repository, ref: str, folder: Path, *, depth: int = 0) -> str:
    """Put the files of a branch, tag or commit into an empty folder; returns the commit's hash.

    An empty ``ref`` is the server's default branch. Submodules are brought down to ``depth``
    levels. Raises a StoreError that says what to do.
    """
    return _fetch(repository, ref, folder, depth, [])


def _fetch(
    repository: Repository,
    ref: str,
    folder: Path,
    depth: int,
    known: list[git_submodules.Link],
) -> str:
    """Put a commit's files into a folder; ``known`` are the submodules that were named so far."""
    try:
        with Repo.init(str(folder)) as repo, _told(repository):
            commit = _bring(repository, ref, repo)
        links = git_submodules.links(repo, commit) if depth else []
        _check_out(repository, repo, commit, folder)
    finally:
        shutil.rmtree(folder / ".git", ignore_errors=True)
    known += links
    if len(known) > MAX_SUBMODULES:
        raise store.StoreError(
            f"The source has more than {MAX_SUBMODULES} submodules, with those in submodules: "
            "leave source.git.submodules out, and bring those that it needs as inputs."
        )
    for link in links:
        there = replace(repository, url=git_submodules.location(repository.url, link))
        inner = there if git_submodules.same_host(repository.url, there.url) else _public(there)
        _fetch(inner, link.commit, folder / link.path, depth - 1, known)
    return commit.id.decode()


def _public(repository: Repository) -> Repository:
    """Return a repository without what opens another host; SSH's known hosts tell whom to trust."""
    return Repository(repository.url)


@contextlib.contextmanager
def _told(repository: Repository) -> Iterator[None]:
    """Turn what git and its connections raise into the store's errors."""
    try:
        yield
    except client.HTTPUnauthorized as error:
        raise store.AccessDeniedError(
            f"The repository {repository.url} is not open to these credentials, or needs some: "
            "write source.git.credentialsSecretName, a Secret with username and password."
        ) from error
    except NotGitRepository as error:
        raise store.ObjectNotFoundError(
            f"There is no git repository at {repository.url}, or it is hidden from these "
            "credentials: look at source.git.url."
        ) from error
    except HangupException as error:
        if not error.stderr_lines:
            raise store.StoreUnavailableError(
                f"The repository {repository.url} cannot be reached: {store.brief(error)}"
            ) from error
        raise store.ObjectNotFoundError(
            f"The server of {repository.url} does not hand it out: {store.brief(error)} Look at "
            "source.git.url."
        ) from error
    except (*_UNREACHABLE, GitProtocolError) as error:
        if store.is_local(error):
            raise
        if isinstance(error, _UNREACHABLE) or _lost_connection(error):
            raise store.StoreUnavailableError(
                f"The repository {repository.url} cannot be reached: {store.brief(error)}"
            ) from error
        raise store.StoreError(
            f"The repository {repository.url} cannot be read: {store.brief(error)}"
        ) from error


def _lost_connection(error: BaseException) -> bool:
    """Tell whether dulwich speaks of a broken connection, or of a server that cannot serve now."""
    behind = isinstance(error.__cause__ or error.__context__, urllib3.exceptions.HTTPError)
    return behind or bool(_SERVER_ERROR.search(str(error)))


def _bring(repository: Repository, ref: str, repo: Repo) -> Commit:
    git, path = repository.open()
    listed = git.get_refs(path)
    refs = {name.decode(): sha for name, sha in listed.refs.items() if sha is not None}
    wanted = _resolve(repository, ref, refs)
    try:
        _fetch_one(repository, repo, wanted, depth=1)
    except (GitProtocolError, HangupException):
        if wanted in refs.values():
            raise
        # Not every server hands out a commit that no branch ends in: then all of them are asked.
        _fetch_all(repository, repo)
    return _commit(repository, repo, wanted)


def _resolve(repository: Repository, ref: str, refs: dict[str, ObjectID]) -> ObjectID:
    for name in (ref or "HEAD", f"refs/heads/{ref}", f"refs/tags/{ref}"):
        if name in refs:
            return refs[name]
    if len(ref) == SHA1_LENGTH and set(ref) <= HEX_DIGITS:
        return ObjectID(ref.encode())
    known = [name.split("/", 2)[2] for name in sorted(refs) if name.count("/") > 1]
    named = join_names([name for name in known if not name.endswith("^{}")], MAX_NAMED)
    raise store.ObjectNotFoundError(
        f"The repository {repository.url} has no branch or tag {ref or 'HEAD'!r}; it has: "
        f"{named}. Write one of them, or a commit's whole hash, in source.git.ref."
    )


def _fetch_one(repository: Repository, repo: Repo, wanted: ObjectID, depth: int) -> None:
    git, path = repository.open()
    git.fetch(path, repo, determine_wants=lambda refs, depth=None: [wanted], depth=depth)


def _fetch_all(repository: Repository, repo: Repo) -> None:
    git, path = repository.open()
    git.fetch(path, repo)


def _commit(repository: Repository, repo: Repo, wanted: ObjectID) -> Commit:
    """Return the commit that a hash stands for, annotated tags followed."""
    try:
        found = repo[wanted]
        while isinstance(found, Tag):
            found = repo[found.object[1]]
    except KeyError as error:
        raise store.ObjectNotFoundError(
            f"The repository {repository.url} has no commit {wanted.decode()}: look at "
            "source.git.ref."
        ) from error
    if not isinstance(found, Commit):
        raise store.ObjectNotFoundError(f"{wanted.decode()} is no commit: look at source.git.ref.")
    return found


def _check_size(repo: Repo, commit: Commit, folder: Path) -> None:
    """Raise TooLargeError for too many files, OSError for more than there is room for.

    A small repository can name one file, or one folder, any number of times.
    """
    left, sizes = room.free(folder), dict[ObjectID, int]()
    entries = iter_tree_contents(repo.object_store, commit.tree, include_trees=True)
    for count, entry in enumerate(entries, 1):
        if count > MAX_ENTRIES:
            raise store.TooLargeError(
                f"The commit {commit.id.decode()} has more than {MAX_ENTRIES} files and folders: "
                "keep data in inputs, not in the repository."
            )
        if entry.mode is None or entry.sha is None or not stat.S_ISREG(entry.mode):
            continue
        if entry.sha not in sizes:
            sizes[entry.sha] = repo.object_store[entry.sha].raw_length()
        left -= sizes[entry.sha]
        if left < 0:
            raise store_errors.no_space()


def _check_out(repository: Repository, repo: Repo, commit: Commit, folder: Path) -> None:
    """Write a commit's files; links that lead out of the folder are left out.

    Raises StoreError for a path that leads out of it, or into git's own folder.
    """
    _check_size(repo, commit, folder)
    try:
        index.build_index_from_tree(str(folder), repo.index_path(), repo.object_store, commit.tree)
    except index.InvalidPathError as error:
        raise store.StoreError(
            f"The repository {repository.url} has a file that no folder may have: "
            f"{store.brief(error)}"
        ) from error
    inside = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            path.unlink()
