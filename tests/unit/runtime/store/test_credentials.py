"""What a container's credentials are read from, and what never comes with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from slipway_pods.store import clouds, credentials, store
from tests.harness.s3 import S3Server

HOSTILE = {
    "PYTHONPATH": "/slipway/run/x",
    "LD_PRELOAD": "/slipway/run/x.so",
    "AWS_CONFIG_FILE": "/slipway/run/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/slipway/run/credentials",
    "AWS_PROFILE": "evil",
    "PATH": "/slipway/run",
}
"""Variables that decide which code a program runs."""


def secret(folder: Path, **values: str) -> Path:
    """Write a Secret as the kubelet mounts it."""
    folder.mkdir(exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(value)
    return folder


def opened(s3: S3Server, **changes: str) -> dict[str, str]:
    return {**s3.env, **changes}


@pytest.fixture
def closed(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A store whose credentials are in no variable."""
    for name in s3.env:
        monkeypatch.delenv(name)
    return s3


def test_the_store_is_opened_by_files_alone(
    closed: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = secret(tmp_path / "secret", **closed.env)
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(folder))
    store.put_bytes(b"weights", "s3://slipway/a")
    assert closed.read("a") == b"weights"


def test_files_come_before_variables(s3: S3Server, tmp_path: Path) -> None:
    folder = secret(tmp_path / "secret", AWS_ACCESS_KEY_ID="from a file")
    env = {**s3.env, "SLIPWAY_CREDENTIALS_DIR": str(folder)}
    assert credentials.current(env) == {"AWS_ACCESS_KEY_ID": "from a file"}


def test_a_transfer_that_meets_an_old_key_goes_on_with_the_new_one(
    closed: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = secret(tmp_path / "secret", **opened(closed, AWS_SECRET_ACCESS_KEY="old"))
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(folder))
    tries: list[str] = []

    def put() -> None:
        tries.append((folder / "AWS_SECRET_ACCESS_KEY").read_text())
        try:
            store.put_bytes(b"weights", "s3://slipway/a")
        finally:
            secret(folder, **closed.env)

    store.retry(put, give_up=store.unavailable_for(0.0))
    assert tries == ["old", "secret"]
    assert closed.read("a") == b"weights"


def test_a_key_that_stays_wrong_is_told_as_before(
    closed: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = secret(tmp_path / "secret", **opened(closed, AWS_SECRET_ACCESS_KEY="old"))
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(folder))
    with pytest.raises(store.AccessDeniedError, match="denies access"):
        store.retry(
            lambda: store.put_bytes(b"x", "s3://slipway/a"), give_up=store.unavailable_for(0.0)
        )


def test_a_secret_brings_the_names_of_credentials_and_no_others(tmp_path: Path) -> None:
    folder = secret(tmp_path / "secret", AWS_ACCESS_KEY_ID="a\n", **HOSTILE)
    assert credentials.read(folder) == {"AWS_ACCESS_KEY_ID": "a"}
    prefixed = {f"SLIPWAY_CHECKPOINT_ENV_{name}": value for name, value in HOSTILE.items()}
    own = {"SLIPWAY_CHECKPOINT_ENV_AWS_ACCESS_KEY_ID": "b", "PATH": "/bin"}
    found = credentials.keeper_environment({**own, **prefixed})
    assert found["AWS_ACCESS_KEY_ID"] == "b"
    assert found["PATH"] == "/bin"
    assert not set(HOSTILE) - {"PATH"} & set(found)


def test_a_child_gets_no_variable_that_says_which_code_it_runs() -> None:
    env = {**HOSTILE, "SLIPWAY_RUN_DIR": "/slipway/run", "AWS_ACCESS_KEY_ID": "a"}
    found = credentials.child_environment(env)
    assert set(found) == {"PATH", "SLIPWAY_RUN_DIR", "AWS_ACCESS_KEY_ID"}


def test_an_authority_in_the_secret_is_the_bundle_to_verify_with(tmp_path: Path) -> None:
    folder = secret(tmp_path / "secret", **{"ca.crt": "-----BEGIN CERTIFICATE-----"})
    options = clouds.s3_options(credentials.read(folder))
    assert options["client_kwargs"] == {"verify": str(folder / "ca.crt")}


def test_a_renewed_secret_gives_the_authority_another_name(tmp_path: Path) -> None:
    """As the kubelet renews it: a link to a folder of its own for each content."""
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "ca.crt").symlink_to("..data/ca.crt")
    for content in ("first", "second"):
        secret(folder / content, **{"ca.crt": content})
        (folder / "..next").symlink_to(content)
        (folder / "..next").rename(folder / "..data")
        found = Path(credentials.read(folder)["AWS_CA_BUNDLE"])
        assert found.read_text() == content
        assert not found.is_symlink()
        assert found.parent.name == content


def test_the_stores_url_with_tls_goes_before_the_one_for_pods_of_an_earlier_release(
    tmp_path: Path,
) -> None:
    urls = {"AWS_ENDPOINT_URL": "http://s", "SLIPWAY_STORE_ENDPOINT": "https://s"}
    assert credentials.read(secret(tmp_path / "secret", **urls)) == {
        "AWS_ENDPOINT_URL": "https://s"
    }


def test_a_key_larger_than_a_secret_can_be_is_cut_where_it_is_read(tmp_path: Path) -> None:
    folder = secret(tmp_path / "secret", token="x" * (credentials.MAX_BYTES + 5))
    assert len(credentials.read(folder)["token"]) == credentials.MAX_BYTES


@pytest.mark.parametrize("by", ["variables", "folder"])
def test_the_checkpoints_own_secret_takes_the_place_of_the_stores(by: str) -> None:
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_ENDPOINT_URL": "http://store", "PATH": "/bin"}
    assert credentials.keeper_environment(env) == env
    if by == "folder":
        own = {"SLIPWAY_CHECKPOINT_CREDENTIALS_DIR": "/slipway/own"}
        found = credentials.keeper_environment({**env, **own})
        assert found["SLIPWAY_CREDENTIALS_DIR"] == "/slipway/own"
        assert "AWS_ACCESS_KEY_ID" not in found
    else:
        own = {"SLIPWAY_CHECKPOINT_ENV_AWS_ACCESS_KEY_ID": "b"}
        found = credentials.keeper_environment({**env, **own})
        assert credentials.current(found) == {"AWS_ACCESS_KEY_ID": "b"}
    assert "AWS_ENDPOINT_URL" not in found
    assert found["PATH"] == "/bin"


def test_an_empty_secret_of_the_checkpoints_own_leaves_nothing_of_the_stores() -> None:
    env = {"AWS_ACCESS_KEY_ID": "a", "PATH": "/bin", "SLIPWAY_CHECKPOINT_OWN_SECRET": "true"}
    assert credentials.current(credentials.keeper_environment(env)) == {}


PROGRAM = """
import ctypes, os, sys
from slipway_pods.store import credentials
os.setgid(10001); os.setuid(10001)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a container's process is, which was never another user
if sys.argv[1] == "holds":
    credentials.hold()
key = "AWS_SECRET_ACCESS_KEY"
print(credentials.current()[key], key in os.environ, flush=True)
input()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become a container's user")
@pytest.mark.parametrize(("does", "in_variables"), [("holds", False), ("shows", True)])
def test_what_is_held_is_in_no_variable_and_no_other_process_of_the_user_reads_it(
    s3: S3Server, does: str, in_variables: bool
) -> None:
    command = [sys.executable, "-I", "-c", PROGRAM, does]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == f"secret {in_variables}\n"
        reader = ["cat", f"/proc/{holder.pid}/environ"]
        peer = subprocess.run(reader, user=10001, group=10001, capture_output=True, check=False)
        holder.communicate("\n")
    assert (b"AWS_SECRET_ACCESS_KEY=secret" in peer.stdout) is in_variables


def test_credentials_of_two_containers_never_share_a_connection(
    closed: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = secret(tmp_path / "wrong", **opened(closed, AWS_SECRET_ACCESS_KEY="wrong"))
    right = secret(tmp_path / "right", **closed.env)
    S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(right))
    store.put_bytes(b"x", "s3://slipway/a")
    monkeypatch.setenv("SLIPWAY_CREDENTIALS_DIR", str(wrong))
    with pytest.raises(store.AccessDeniedError):
        store.put_bytes(b"y", "s3://slipway/a")
    assert closed.read("a") == b"x"
