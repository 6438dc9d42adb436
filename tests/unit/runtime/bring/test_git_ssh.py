"""Sources from git over SSH: only from hosts that are known, only with the Secret's key."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_pods.bring import git_ssh
from slipway_pods.bring.bring_source import bring
from slipway_pods.bring.git_source import Repository, fetch
from slipway_pods.store import store
from tests.unit.runtime.git_server import commit, git
from tests.unit.runtime.ssh_server import SshServer, parsed, private_key, serve

KEY = private_key()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("git")
    (root / "team" / "net").mkdir(parents=True)
    git(root / "team" / "net", "init", "--quiet")
    commit(root / "team" / "net", train="first")
    git(root / "team" / "net", "tag", "v1")
    commit(root / "team" / "net", train="second")
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[SshServer]:
    with serve(root, KEY) as server:
        yield server


def opened(server: SshServer, path: str = "team/net") -> Repository:
    return Repository(server.url(path), key=KEY, known_hosts=server.known_hosts())


def test_a_branch_and_a_tag_are_brought(server: SshServer, tmp_path: Path) -> None:
    for ref, text in (("", "second"), ("v1", "first")):
        folder = tmp_path / (ref or "main")
        folder.mkdir()
        fetch(opened(server), ref, folder)
        assert {one.name: one.read_text() for one in folder.iterdir()} == {"train.py": text}


def test_the_container_reads_key_and_hosts_from_its_variables(
    server: SshServer, tmp_path: Path
) -> None:
    env = {"SLIPWAY_GIT_KEY": KEY, "SLIPWAY_GIT_KNOWN_HOSTS": server.known_hosts()}
    source = json.loads(json.dumps({"git": {"url": server.url("team/net"), "ref": "v1"}}))
    assert len(bring(source, tmp_path, env)) == 40


def test_a_host_that_is_not_known_is_never_spoken_to(server: SshServer, tmp_path: Path) -> None:
    for hosts in ("", "github.com ssh-ed25519 AAAA\n", "# nothing\nbroken\n"):
        repository = Repository(server.url("team/net"), key=KEY, known_hosts=hosts)
        with pytest.raises(store.AccessDeniedError) as told:
            fetch(repository, "", tmp_path)
        assert "add known_hosts to the Secret of source.git.credentialsSecretName" in str(
            told.value
        )
        assert f"ssh-keyscan -p {server.port} 127.0.0.1" in str(told.value)


def test_a_host_with_another_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    hosts = server.known_hosts(parsed(private_key()))
    repository = Repository(server.url("team/net"), key=KEY, known_hosts=hosts)
    with pytest.raises(store.AccessDeniedError, match="has another key than known_hosts"):
        fetch(repository, "", tmp_path)


def test_a_key_that_is_not_let_in_is_told(server: SshServer, tmp_path: Path) -> None:
    hosts = server.known_hosts()
    repository = Repository(server.url("team/net"), key=private_key(), known_hosts=hosts)
    with pytest.raises(store.AccessDeniedError, match="does not let git in with ssh-privatekey"):
        fetch(repository, "", tmp_path)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "add ssh-privatekey to the Secret of source.git.credentialsSecretName"),
        ("ssh-ed25519 AAAA me", "write a private key of type ed25519, ecdsa or rsa"),
    ],
)
def test_a_key_that_is_none_is_told(
    server: SshServer, tmp_path: Path, key: str, message: str
) -> None:
    repository = Repository(server.url("team/net"), key=key, known_hosts=server.known_hosts())
    with pytest.raises(store.AccessDeniedError, match=message):
        fetch(repository, "", tmp_path)


def test_a_repository_that_is_not_there_is_no_matter_of_time(
    server: SshServer, tmp_path: Path
) -> None:
    with pytest.raises(store.ObjectNotFoundError, match=r"Look at source\.git\.url"):
        fetch(opened(server, "team/none"), "", tmp_path)


def test_a_host_that_is_away_is_worth_another_try(server: SshServer, tmp_path: Path) -> None:
    line = server.known_hosts().replace(str(server.port), "9")
    repository = Repository("ssh://127.0.0.1:9/net", key=KEY, known_hosts=line)
    with pytest.raises(store.StoreUnavailableError, match="cannot be reached by SSH"):
        fetch(repository, "", tmp_path)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ssh://git.example/team/net", ("git", "git.example", 22, "/team/net")),
        ("ssh://me@git.example:2222/net.git", ("me", "git.example", 2222, "/net.git")),
        ("git@git.example:team/net.git", ("git", "git.example", 22, "team/net.git")),
    ],
)
def test_both_ways_to_write_an_address_are_read(
    url: str, address: tuple[str, str, int, str]
) -> None:
    assert git_ssh.is_ssh(url)
    assert git_ssh.Address.parse(url) == git_ssh.Address(*address)


def test_other_urls_are_not_ssh() -> None:
    assert not any(map(git_ssh.is_ssh, ("https://a/b", "git://a:9418/b", "http://a:80/b")))


def with_submodules(root: Path, url: str) -> Path:
    """Make a repository whose submodule ``deps/lib`` has one of its own, ``inner``."""
    for name, text in (("inner", "deep"), ("lib", "library"), ("top", "top")):
        (root / name).mkdir()
        git(root / name, "init", "--quiet")
        commit(root / name, **{name: text})
    own = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(root / "lib", *own, str(root / "inner"), "inner")
    git(root / "top", *own, str(root / "lib"), "deps/lib")
    for name, at, where in (("lib", "inner", "../inner"), ("top", "deps/lib", url)):
        git(root / name, "config", "-f", ".gitmodules", f"submodule.{at}.url", where)
        if name == "top":
            git(root / "top" / "deps" / "lib", "pull", "--quiet", "origin", "main")
        commit(root / name)
    return root / "top"


def test_submodules_are_brought_with_those_in_them(tmp_path: Path) -> None:
    with_submodules(tmp_path, "../lib")
    got = tmp_path / "got"
    with serve(tmp_path, KEY) as server:
        for _ in range(2):  # a second try finds what the first one left
            got.mkdir(exist_ok=True)
            fetch(opened(server, "top"), "", got, depth=8)
        plain = tmp_path / "plain"
        plain.mkdir()
        fetch(opened(server, "top"), "", plain)
    files = {str(one.relative_to(got)): one.read_text() for one in got.rglob("*.py")}
    assert files == {
        "top.py": "top",
        "deps/lib/lib.py": "library",
        "deps/lib/inner/inner.py": "deep",
    }
    assert not list(got.rglob(".git"))
    assert [one.name for one in plain.rglob("*.py")] == ["top.py"]


@pytest.mark.parametrize("url", ["/etc", "file:///etc", "ext::sh -c id"])
def test_a_submodule_that_names_no_server_is_refused(tmp_path: Path, url: str) -> None:
    with_submodules(tmp_path, url)
    got = tmp_path / "got"
    got.mkdir()
    with (
        serve(tmp_path, KEY) as server,
        pytest.raises(store.StoreError, match="which names no server"),
    ):
        fetch(opened(server, "top"), "", got, depth=8)


def test_another_hosts_submodule_does_not_get_the_key(tmp_path: Path) -> None:
    with serve(tmp_path, KEY) as server, serve(tmp_path, KEY) as other:
        with_submodules(tmp_path, other.url("lib"))
        got = tmp_path / "got"
        got.mkdir()
        with pytest.raises(store.AccessDeniedError, match="needs a key"):
            fetch(opened(server, "top"), "", got, depth=8)
