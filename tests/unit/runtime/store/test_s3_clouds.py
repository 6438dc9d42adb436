"""A store, and inputs, at the S3 APIs of Google and of Alibaba, which take less than AWS' own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from slipway.accounts.server.admin import Caller
from slipway.accounts.server.objects import Objects
from slipway.accounts.server.signing import Key
from slipway_pods.bring import download
from slipway_pods.store import clouds, store
from tests.harness.s3 import S3Server
from tests.unit.runtime.cloud_fronts import (
    ACCESS,
    SECRET,
    Behind,
    Front,
    Interoperable,
    Oss,
    names_of_test,
)
from tests.unit.runtime.cloud_servers import serve

PART = 5 * store.MIB
"""The smallest part that S3 takes, but for the last one, in bytes."""
FOLDER = "outputs/ns/net/uid"
URI = f"s3://slipway/{FOLDER}"
SECRETS: dict[type[Front], dict[str, str]] = {
    Interoperable: {"AWS_DEFAULT_REGION": "auto"},
    Oss: {"AWS_DEFAULT_REGION": "cn-hangzhou", "AWS_S3_ADDRESSING_STYLE": "virtual"},
}
"""What a Secret says for each of them besides the key and the endpoint, which ``docs/store.md``
tells too."""


@pytest.fixture(params=SECRETS, ids=lambda front: front.__name__)
def cloud(
    request: pytest.FixtureRequest, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Server]:
    """The server behind one of them, which the AWS_ variables open."""
    handler = type("Before", (request.param,), {"behind": Behind(s3.port)})
    monkeypatch.setattr(store, "CHUNK", PART)
    with names_of_test(), serve(handler) as url:
        port = url.rpartition(":")[2]
        opened = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
        endpoint = {"AWS_ENDPOINT_URL": f"http://{Oss.host}:{port}"}
        for name, value in {**opened, **endpoint, **SECRETS[request.param]}.items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield s3


def test_small_and_large_files_are_stored_listed_read_and_removed(
    cloud: S3Server, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2 * PART + 7))
    store.put_bytes(b"weights", f"{URI}/deep/small file+1")
    with large.open("rb") as file:
        store.put_file(file, f"{URI}/large")
    assert store.sizes(URI) == {"deep/small file+1": 7, "large": 2 * PART + 7}
    assert cloud.read(f"{FOLDER}/large") == large.read_bytes()
    store.get_file(f"{URI}/large", tmp_path / "back", 2 * PART + 7)
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    store.give_up_uploads(URI)
    store.delete(f"{URI}/large")
    assert store.sizes(URI) == {"deep/small file+1": 7}


def test_a_folder_is_an_input(cloud: S3Server, tmp_path: Path) -> None:
    store.put_bytes(b"1,2", f"{URI}/set/a.csv")
    store.put_bytes(b"3,4", f"{URI}/set/deep/b.csv")
    download.bring(f"{URI}/set/", tmp_path, "input data")
    assert (tmp_path / "a.csv").read_bytes() == b"1,2"
    assert (tmp_path / "deep" / "b.csv").read_bytes() == b"3,4"


def test_another_key_opens_nothing(cloud: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(store.AccessDeniedError, match="denies access"):
        store.put_bytes(b"weights", f"{URI}/small")


@pytest.mark.parametrize("cloud", [Oss], indirect=True)
def test_a_bucket_in_the_path_is_told_where_the_server_wants_it_in_the_host(
    cloud: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_S3_ADDRESSING_STYLE")
    with pytest.raises(store.AccessDeniedError, match="SecondLevelDomainForbidden"):
        store.put_bytes(b"weights", f"{URI}/small")


@pytest.mark.parametrize("cloud", [Oss], indirect=True)
async def test_the_operator_lists_and_removes_where_the_bucket_is_in_the_host(
    cloud: S3Server,
) -> None:
    store.put_bytes(b"weights", f"{URI}/a b.pt")
    caller = Caller(os.environ["AWS_ENDPOINT_URL"], Key(ACCESS, SECRET), "cn-hangzhou")
    objects = Objects(caller, in_host=True)
    assert await objects.page("slipway", f"{FOLDER}/", flat=True) == [(f"{FOLDER}/a b.pt", 7)]
    await objects.remove("slipway", f"{FOLDER}/a b.pt")
    assert await objects.page("slipway", f"{FOLDER}/", flat=True) == []
    assert await objects.page("another", "", flat=False) == []


def test_a_style_that_there_is_not_is_told_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_S3_ADDRESSING_STYLE", "hosted")
    with pytest.raises(store.StoreError, match="'hosted': write path or virtual"):
        store.put_bytes(b"weights", f"{URI}/small")


def test_aws_own_servers_are_asked_as_boto_does() -> None:
    config = clouds.s3_options({"AWS_ACCESS_KEY_ID": "a"})["config_kwargs"]
    assert not {"s3", "request_checksum_calculation"} & set(config)
