"""Bodies of requests that are no uploads: bounded, so that nobody fills the store's memory."""

import http.client
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.harness.s3 import BUCKET
from tests.harness.waiting import wait_for
from tests.unit.accounts.conftest import REGION, World, refusal

MIB = 1 << 20
HOSTILE_BYTES = 150 * MIB
MOST_MIB = 40
"""What all of a test's requests may cost the store, which has a limit of 512 MiB."""
FIRST_BYTES = 16 << 10
"""So much of a body comes before the server looks at the request, at most."""
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
COPY = {"x-amz-copy-source": f"{BUCKET}/key"}
ATTACKS: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "keys to delete": ("POST", f"/{BUCKET}?delete=", {}),
    "parts of an upload": ("POST", f"/{BUCKET}/key?uploadId=x", {}),
    "a form": ("POST", f"/{BUCKET}", FORM),
    "a form for an object": ("PUT", f"/{BUCKET}/key?tagging=", FORM),
    "tags": ("PUT", f"/{BUCKET}/key?tagging=", {}),
    "a policy": ("PUT", f"/{BUCKET}?policy=", {}),
    "a copy": ("PUT", f"/{BUCKET}/copy", COPY),
    "a part that is copied": ("PUT", f"/{BUCKET}/key?uploadId=x&partNumber=1", COPY),
    "a bucket": ("PUT", "/another", {}),
    "a bucket with slashes": ("PUT", f"/{BUCKET}//", {}),
    "a read": ("GET", f"/{BUCKET}/key", {}),
    "the administration": ("PATCH", "/create-user", {}),
}


class Unsigned(S3SigV4Auth):  # type: ignore[misc]
    """Signs a request whose body is not part of it."""

    def payload(self, request: AWSRequest) -> str:
        return "UNSIGNED-PAYLOAD"


def signed(world: World, method: str, path: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    request = AWSRequest(method, f"http://127.0.0.1:{world.store.port}{path}", headers=headers)
    Unsigned(Credentials("key", "secret"), "s3", REGION).add_auth(request)
    return dict(request.headers.items())


def pieces(size: int) -> Iterator[bytes]:
    yield FORM_HEAD
    for _ in range(size // MIB):
        yield b"<a>x" * (MIB // 4)


def send(world: World, attack: tuple[str, str, Mapping[str, str]], *, whose: str) -> None:
    """Send a body as far as the store takes it; ``whose`` is anonymous, signed or chunked."""
    method, path, headers = attack
    length = {} if whose == "chunked" else {"Content-Length": str(HOSTILE_BYTES)}
    wanted = {**headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", **length}
    told = wanted if whose == "anonymous" else signed(world, method, path, wanted)
    with closing(http.client.HTTPConnection("127.0.0.1", world.store.port, timeout=120)) as sender:
        try:
            chunked = whose == "chunked"
            sender.request(method, path, pieces(HOSTILE_BYTES), told, encode_chunked=chunked)
            sender.getresponse().read()
        except OSError:
            return


@pytest.mark.parametrize("whose", ["anonymous", "signed", "chunked"])
def test_no_body_fills_the_memory_and_the_store_goes_on(world: World, whose: str) -> None:
    root = world.root()
    assert root.put(BUCKET, "key", b"kept") == ""
    before = world.store.peak_mib
    for attack in ATTACKS.values():
        send(world, attack, whose=whose)
    assert world.store.peak_mib < before + MOST_MIB
    assert root.read(BUCKET, "key") == b"kept"


def test_forms_at_once_are_not_read_before_anybody_is_asked_who_sent_them(world: World) -> None:
    before = world.store.peak_mib
    each = [
        threading.Thread(
            target=send, args=(world, ATTACKS["a form"]), kwargs={"whose": "anonymous"}
        )
        for _ in range(12)
    ]
    for thread in each:
        thread.start()
    for thread in each:
        thread.join()
    assert world.store.peak_mib < before + MOST_MIB


def test_what_s3_allows_at_once_is_deleted_and_uploaded(world: World) -> None:
    root = world.root()
    keys = [f"{'long/' * 180}{number}" for number in range(1000)]
    answer = root.raw.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": k} for k in keys]})
    assert len(answer["Deleted"]) == 1000
    body = bytes(12 * MIB)
    assert root.put(BUCKET, "large", body) == ""
    begun = root.raw.create_multipart_upload(Bucket=BUCKET, Key="parts")
    place = {"Bucket": BUCKET, "Key": "parts", "UploadId": begun["UploadId"]}
    tag = root.raw.upload_part(PartNumber=1, Body=io.BytesIO(body), **place)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    root.raw.complete_multipart_upload(MultipartUpload=parts, **place)
    assert len(root.read(BUCKET, "parts")) == len(body)


async def test_who_sends_bodies_slowly_delays_their_own_alone(world: World) -> None:
    for name in ("attacker", "victim"):
        world.cluster.add(name, f"uid-of-{name}")
        await world.open(name)
    held = [slow(world, "attacker") for _ in range(8)]
    try:
        own = wait_for(lambda: delete_one(world, "attacker"), 120, "the store has begun with all")
        others = delete_one(world, "victim")
    finally:
        for connection in held:
            connection.close()
    assert own == "SlowDown"
    assert others == ""


def slow(world: World, namespace: str) -> http.client.HTTPConnection:
    """Begin a body of 1 MiB as a namespace, and send no more of it."""
    keys, bucket = world.cluster.secrets[namespace], world.cluster.buckets[namespace]
    path = f"/{bucket.split('/')[0]}?delete="
    wanted = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "Content-Length": str(1 * MIB)}
    request = AWSRequest("POST", f"http://127.0.0.1:{world.store.port}{path}", headers=wanted)
    held = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    Unsigned(held, "s3", REGION).add_auth(request)
    sender = http.client.HTTPConnection("127.0.0.1", world.store.port, timeout=120)
    sender.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    sender.putheader("Host", f"127.0.0.1:{world.store.port}")
    for name, value in request.headers.items():
        sender.putheader(name, value)
    sender.endheaders()
    sender.send(b"<Delete>" + bytes(FIRST_BYTES))
    return sender


def delete_one(world: World, namespace: str) -> str:
    bucket = world.cluster.buckets[namespace].split("/")[0]
    client = world.client(namespace)
    keys = {"Objects": [{"Key": f"outputs/{namespace}/x"}]}
    return refusal(lambda: client.raw.delete_objects(Bucket=bucket, Delete=keys))
