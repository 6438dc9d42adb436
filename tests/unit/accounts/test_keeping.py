"""What the store keeps: synced before it answers, within a quota, and after it moved elsewhere."""

import errno
import fcntl
import shutil
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev import gotools
from tests.harness.s3 import BUCKET, S3Server
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import ROOT, S3, World

FIEMAP = 0xC020660B
"""The request for a file's extents. Source: linux/fs.h and linux/fiemap.h."""
UNSTABLE = 0x2 | 0x4 | 0x800
"""Flags of extents that are not on the disk yet: place unknown, place not chosen, not written."""
KIB = 1 << 10
QUOTA = 300 * KIB


def waits_for_the_disk(path: Path) -> bool:
    """Tell whether bytes of a file are in memory only."""
    asked = bytearray(struct.pack("=QQIIII", 0, 2**64 - 1, 0, 0, 16, 0) + bytes(16 * 56))
    with path.open("rb") as file:
        try:
            fcntl.ioctl(file, FIEMAP, asked)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY):
                pytest.skip("this file system does not tell what is on the disk")
            raise
    (count,) = struct.unpack_from("=I", asked, 20)
    flags = [struct.unpack_from("=I", asked, 32 + 56 * at + 40)[0] for at in range(count)]
    return not flags or any(flag & UNSTABLE for flag in flags)


def root_of(store: S3Server) -> S3:
    return S3(store, {"AWS_ACCESS_KEY_ID": ROOT.id, "AWS_SECRET_ACCESS_KEY": ROOT.secret})


def status(store: S3Server, path: str) -> tuple[int, str]:
    """Return the status and the text of an answer at the store's second port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{store.status_port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[S3Server]:
    """A store with a small quota, and buckets of two namespaces."""
    gotools.ensure(["slipway-store"])
    store = S3Server(tmp_path / "s3", quota=QUOTA)
    store.start()
    for name in ("ns-a", "ns-b"):
        root_of(store).raw.create_bucket(Bucket=name)
    yield store
    store.stop()


def test_an_object_is_on_the_disk_with_its_attributes_when_the_store_says_that_it_has_it(
    small: S3Server, tmp_path: Path
) -> None:
    unsynced = tmp_path / "unsynced"

    def is_seen() -> bool:
        unsynced.unlink(missing_ok=True)
        unsynced.write_bytes(b"x" * 100 * KIB)
        return waits_for_the_disk(unsynced)

    wait_for(is_seen, 120, "a file is seen before the kernel writes it")
    assert root_of(small).put("ns-a", "models/net.mar", b"x" * 100 * KIB) == ""
    written = [
        small.folder / "buckets/ns-a/models/net.mar",
        *(small.folder / "metadata/ns-a/models/net.mar/meta").iterdir(),
    ]
    assert len(written) > 1
    assert [path.name for path in written if waits_for_the_disk(path)] == []


def test_an_object_of_parts_is_on_the_disk_when_it_is_complete(small: S3Server) -> None:
    s3 = root_of(small).raw
    where = {"Bucket": "ns-a", "Key": "outputs/weights"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * 100 * KIB)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)
    assert not waits_for_the_disk(small.folder / "buckets/ns-a/outputs/weights")


def test_one_namespace_fills_its_share_and_not_the_next_ones(small: S3Server) -> None:
    s3 = root_of(small)
    assert s3.put("ns-a", "outputs/1", b"x" * 200 * KIB) == ""
    assert s3.put("ns-a", "outputs/2", b"x" * 200 * KIB) == "QuotaExceeded"
    assert s3.put("ns-b", "outputs/1", b"x" * 200 * KIB) == ""
    assert s3.get("ns-a", "outputs/1") == ""
    s3.raw.delete_object(Bucket="ns-a", Key="outputs/1")
    again = lambda: s3.put("ns-a", "outputs/2", b"x" * 200 * KIB) == ""  # noqa: E731
    wait_for(again, 120, "what was deleted makes room")


def test_parts_and_copies_count_too(small: S3Server) -> None:
    s3 = root_of(small)
    assert s3.put("ns-a", "outputs/1", b"x" * 150 * KIB) == ""
    source = {"Bucket": "ns-a", "Key": "outputs/1"}
    with pytest.raises(s3.raw.exceptions.ClientError, match="QuotaExceeded"):
        s3.raw.copy_object(Bucket="ns-a", Key="outputs/2", CopySource=source)
    where = {"Bucket": "ns-a", "Key": "outputs/2"}
    upload = s3.raw.create_multipart_upload(**where)["UploadId"]
    with pytest.raises(s3.raw.exceptions.ClientError, match="QuotaExceeded"):
        s3.raw.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * 150 * KIB)


def test_many_small_objects_fill_a_share_as_a_large_one_does(small: S3Server) -> None:
    s3 = root_of(small)
    answers = [s3.put("ns-a", f"outputs/{number}", b"") for number in range(30)]
    assert answers.count("QuotaExceeded") > 10
    assert answers.index("QuotaExceeded") > 10


def test_a_namespace_that_release_0_2_0_served_has_a_share_of_the_common_bucket(
    small: S3Server,
) -> None:
    s3 = root_of(small)
    assert s3.put(BUCKET, "outputs/a/1", b"x" * 200 * KIB) == ""
    assert s3.put(BUCKET, "models/a/1", b"x" * 200 * KIB) == "QuotaExceeded"
    assert s3.put(BUCKET, "models/b/1", b"x" * 200 * KIB) == ""
    assert s3.put(BUCKET, "shared/data", b"x" * 2 * QUOTA) == ""


def test_metrics_tell_how_full_the_volume_and_each_share_is(small: S3Server) -> None:
    s3 = root_of(small)
    s3.put("ns-a", "outputs/1", b"x" * 200 * KIB)
    s3.put("ns-a", "outputs/2", b"x" * 200 * KIB)
    code, text = status(small, "/metrics")
    series = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert code == 200
    assert int(series['slipway_store_share_bytes{share="ns-a"}']) >= 200 * KIB
    assert series['slipway_store_refused_total{reason="QuotaExceeded"}'] == "1"
    assert series["slipway_store_quota_bytes"] == str(QUOTA)
    free, size = (int(series[f"slipway_store_volume_{name}"]) for name in ("free_bytes", "bytes"))
    assert 0 < free < size


def test_a_store_that_cannot_write_is_not_ready(small: S3Server) -> None:
    assert status(small, "/ready")[0] == 200
    away = small.folder.rename(small.folder.with_name("away"))
    wait_for(lambda: status(small, "/ready")[0] == 503, 120, "the store is not ready")
    assert "the volume cannot be written" in status(small, "/ready")[1]
    away.rename(small.folder)
    wait_for(lambda: status(small, "/ready")[0] == 200, 120, "the store is ready again")


def test_who_asks_again_and_again_whether_it_is_ready_makes_it_no_less_so(small: S3Server) -> None:
    with ThreadPoolExecutor(16) as crowd:
        codes = list(crowd.map(lambda _: status(small, "/ready")[0], range(400)))
    assert set(codes) == {200}


def test_a_full_volume_takes_nothing_more_and_goes_on_giving(tmp_path: Path) -> None:
    gotools.ensure(["slipway-store"])
    store = S3Server(tmp_path / "s3")
    store.start()
    assert root_of(store).put(BUCKET, "models/a/net.mar") == ""
    store.stop()
    store.reserved = shutil.disk_usage(tmp_path).total
    store.start()
    s3 = root_of(store)
    assert s3.put(BUCKET, "models/a/next.mar") == "InsufficientStorage"
    assert s3.get(BUCKET, "models/a/net.mar") == ""
    s3.raw.delete_object(Bucket=BUCKET, Key="models/a/net.mar")
    assert s3.keys(BUCKET) == []
    assert status(store, "/ready")[0] == 200
    store.stop()


async def test_a_copy_of_the_volume_has_every_object_and_account(
    world: World, tmp_path: Path
) -> None:
    world.cluster.add("a", "uid-a")
    place = (await world.open("a")).split("/", 1)[0]
    assert world.client("a").put(place, "outputs/a/weights", b"weights") == ""
    world.store.stop()
    shutil.copytree(world.store.folder, tmp_path / "copy")
    restored = S3Server(tmp_path / "copy")
    restored.start()
    client = S3(restored, world.cluster.secrets["a"])
    assert client.read(place, "outputs/a/weights") == b"weights"
    assert client.put(place, "outputs/a/more") == ""
    assert S3(restored, {}).get(place, "outputs/a/weights") == "AccessDenied"
    restored.stop()
