"""Sources from git: against git's own server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_pods import room
from slipway_pods.bring import git_source
from slipway_pods.bring.git_source import Repository, fetch
from slipway_pods.store import store
from tests.unit.runtime.git_server import commit, git, serve


class Origin:
    """A repository with two commits on main, a tag on the first, and a branch of its own."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "team" / "net"
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "--quiet")
        self.first = commit(self.folder, train="first")
        git(self.folder, "tag", "-a", "-m", "one", "v1")
        self.second = commit(self.folder, train="second")
        git(self.folder, "branch", "feature/x")
        self.third = commit(self.folder, train="third")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return Origin(tmp_path_factory.mktemp("git"))


@pytest.fixture(scope="module")
def url(origin: Origin) -> Iterator[str]:
    with serve(origin.folder.parents[1]) as base:
        yield f"{base}/team/net"


def test_the_default_branch_is_brought_without_its_history(
    origin: Origin, url: str, tmp_path: Path
) -> None:
    assert fetch(Repository(url), "", tmp_path) == origin.third
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"train.py": "third"}


@pytest.mark.parametrize(
    ("ref", "text"),
    [("main", "third"), ("feature/x", "second"), ("v1", "first"), ("refs/heads/main", "third")],
)
def test_a_branch_or_a_tag_is_brought(
    origin: Origin, url: str, tmp_path: Path, ref: str, text: str
) -> None:
    got = fetch(Repository(url), ref, tmp_path)
    assert (tmp_path / "train.py").read_text() == text
    assert got == {"first": origin.first, "second": origin.second, "third": origin.third}[text]


def test_a_commit_that_no_branch_ends_in_is_brought(
    origin: Origin, url: str, tmp_path: Path
) -> None:
    lone = origin.first
    assert fetch(Repository(url), lone, tmp_path) == lone
    assert (tmp_path / "train.py").read_text() == "first"


def test_a_ref_that_is_not_there_is_told_with_those_that_are(url: str, tmp_path: Path) -> None:
    with pytest.raises(store.ObjectNotFoundError) as told:
        fetch(Repository(url), "mian", tmp_path)
    assert "no branch or tag 'mian'; it has: feature/x, main, v1." in str(told.value)
    assert "source.git.ref" in str(told.value)


def test_a_commit_that_is_not_there_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(store.StoreError, match=r"no commit 0123456789|not our ref"):
        fetch(Repository(url), "0123456789" * 4, tmp_path)


def test_a_repository_that_is_not_there_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(store.ObjectNotFoundError, match=r"There is no git repository at .*/none"):
        fetch(Repository(f"{url}/none"), "", tmp_path)


def test_a_private_repository_opens_to_its_credentials_alone(
    origin: Origin, tmp_path: Path
) -> None:
    with serve(origin.folder.parents[1], "bot", "secret") as base:
        private = f"{base}/team/net"
        for wrong in (Repository(private), Repository(private, "bot", "wrong")):
            with pytest.raises(
                store.AccessDeniedError, match=r"source\.git\.credentialsSecretName"
            ):
                fetch(wrong, "", tmp_path)
        assert fetch(Repository(private, "bot", "secret"), "main", tmp_path) == origin.third


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(store.StoreUnavailableError, match="cannot be reached"):
        fetch(Repository("http://127.0.0.1:9/team/net"), "", tmp_path)


def test_a_link_out_of_the_source_is_left_out(tmp_path: Path) -> None:
    origin, got = tmp_path / "origin", tmp_path / "got"
    origin.mkdir()
    got.mkdir()
    git(origin, "init", "--quiet")
    (origin / "environment").symlink_to("/proc/self/environ")
    (origin / "alias.py").symlink_to("train.py")
    commit(origin, train="x")
    with serve(tmp_path) as base:
        fetch(Repository(f"{base}/origin"), "", got)
    assert sorted(path.name for path in got.iterdir()) == ["alias.py", "train.py"]
    assert (got / "alias.py").read_text() == "x"


def test_a_commit_that_names_one_file_many_times_is_bounded_by_the_room_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = bomb(tmp_path / "origin", levels=6)
    monkeypatch.setattr(room, "free", lambda _: 1_000_000)
    (tmp_path / "in").mkdir()
    with pytest.raises(OSError, match="no space"):
        fetch(repository, "", tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_commit_with_folders_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = bomb(tmp_path / "origin", levels=6)
    monkeypatch.setattr(git_source, "MAX_ENTRIES", 5000)
    (tmp_path / "in").mkdir()
    with pytest.raises(store.TooLargeError, match="more than 5000 files and folders"):
        fetch(repository, "", tmp_path / "in")


def bomb(folder: Path, levels: int) -> Repository:
    """Return a small repository with ten to the power of ``levels`` files of 10,000 bytes."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "file").write_bytes(bytes(10_000))
    entry = f"100644 blob {git(folder, 'hash-object', '-w', 'file')}"
    for _ in range(levels):
        listed = "".join(f"{entry}\t{number}\n" for number in range(10))
        entry = f"040000 tree {git(folder, 'mktree', text=listed)}"
    (folder / "file").unlink()
    made = git(folder, "commit-tree", "-m", "bomb", entry.split()[2])
    git(folder, "update-ref", "refs/heads/main", made)
    return Repository(str(folder))
