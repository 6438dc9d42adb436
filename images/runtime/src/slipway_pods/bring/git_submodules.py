"""The submodules of a commit: where they are in it, where they come from, who may open them.

``.gitmodules`` is whoever's wrote the commit: only servers are asked, no file of this machine, and
only the repository's own host gets its credentials.
Source: https://git-scm.com/docs/gitmodules
"""

import io
import stat
from dataclasses import dataclass
from urllib.parse import urlsplit

from dulwich.config import ConfigFile, parse_submodules
from dulwich.object_store import iter_tree_contents
from dulwich.objects import S_ISGITLINK, Blob, Commit, Tree
from dulwich.repo import Repo

from slipway_pods.bring import git_ssh
from slipway_pods.store import store

MAX_DEPTH = 8
"""Most levels of submodules in submodules that are brought."""
FILE_NAME = b".gitmodules"


@dataclass(frozen=True)
class Link:
    """A submodule: its folder in the commit, its URL as it is written there, its own commit."""

    path: str
    url: str
    commit: str


def links(repo: Repo, commit: Commit) -> list[Link]:
    """Return a commit's submodules; raises StoreError for one whose URL is not told."""
    urls = _urls(repo, commit)
    found = []
    for entry in iter_tree_contents(repo.object_store, commit.tree):
        if entry.mode is None or not S_ISGITLINK(entry.mode):
            continue
        path = (entry.path or b"").decode()
        if path not in urls:
            raise store.StoreError(
                f"The submodule {path} has no URL in .gitmodules: write it there, or leave "
                "source.git.submodules out."
            )
        found.append(Link(path, urls[path], (entry.sha or b"").decode()))
    return found


def location(parent: str, link: Link) -> str:
    """Return the URL of a submodule, those that are relative to their parent's told whole.

    Raises StoreError for one that names no server.
    """
    url = link.url
    if url.startswith(("./", "../")):
        base = parent.rstrip("/")
        while url.startswith(("./", "../")):
            up, _, url = url.partition("/")
            if up == "..":
                base = _above(base)
        url = f"{base}{'' if base.endswith(':') else '/'}{url}"
    if url.startswith(("https://", "http://", "git://")) or git_ssh.is_ssh(url):
        return url
    raise store.StoreError(
        f"The submodule {link.path} comes from {url!r}, which names no server: write a URL that "
        "begins with https://, http://, git:// or ssh:// in .gitmodules."
    )


def same_host(one: str, other: str) -> bool:
    """Tell whether what opens the one may be shown to the other: same scheme, host and port."""
    return _host(one) == _host(other)


def _host(url: str) -> tuple[str, str, int | None]:
    if git_ssh.is_ssh(url):
        address = git_ssh.Address.parse(url)
        return "ssh", address.host, address.port
    found = urlsplit(url)
    return found.scheme, found.hostname or "", found.port


def _above(base: str) -> str:
    """Return a URL without the last part of its path."""
    head, slash, _ = base.rpartition("/")
    if slash and not head.endswith((":", "/")):
        return head
    host, colon, _ = base.partition(":")
    return f"{host}{colon}" if colon and "//" not in base else base


def _urls(repo: Repo, commit: Commit) -> dict[str, str]:
    tree = repo[commit.tree]
    if not isinstance(tree, Tree) or FILE_NAME not in tree:
        return {}
    mode, sha = tree[FILE_NAME]
    blob = repo[sha]
    if not stat.S_ISREG(mode) or not isinstance(blob, Blob):
        return {}
    told = ConfigFile.from_file(io.BytesIO(blob.data))
    return {path.decode(): url.decode() for path, url, _ in parse_submodules(told)}
