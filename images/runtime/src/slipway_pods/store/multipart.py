"""A large file on its way into S3, in parts that outlast what breaks it off.

S3 keeps the parts of an upload until it is completed or aborted, and tells which it has. So the
server itself is the memory: a try after an outage, or that of another process, goes on with the
upload that is there for the key. A part's ETag is the MD5 of its bytes, so one that differs (of an
earlier try with other content, or of a server whose ETags are something else) is sent anew.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import contextlib
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

from slipway_pods.store import clouds
from slipway_pods.store.store_errors import ChangedError, UntoldError

CONCURRENCY = 2
"""Parts on their way at a time; bounds the memory together with a part's size."""
_NOTHING_TOLD = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed"})
"""Codes of servers and keys that do not let unfinished uploads be listed."""

Tags = Mapping[int, tuple[int, str]]
"""Size in bytes and ETag of parts, by their numbers from 1 on."""


@dataclass(frozen=True)
class Key:
    """An object's place in a bucket, through an s3fs file system."""

    files: Any
    bucket: str
    key: str

    def call(self, method: str, **options: Any) -> dict[str, Any]:
        """Make a request about this key."""
        found = self.files.call_s3(method, Bucket=self.bucket, Key=self.key, **options)
        return dict(found)


@dataclass(frozen=True)
class Upload:
    """An unfinished upload; ``initiated`` is when it was begun, in texts that sort as times."""

    to: Key
    identity: str
    initiated: str = ""

    @classmethod
    def begin(cls, to: Key) -> "Upload":
        """Begin another upload to a key."""
        return cls(to, str(to.call("create_multipart_upload")["UploadId"]))

    def call(self, method: str, **options: Any) -> dict[str, Any]:
        """Make a request about this upload."""
        return self.to.call(method, UploadId=self.identity, **options)


def put(file: IO[bytes], to: Key, chunk: int) -> None:
    """Put an opened file at a key, in parts of ``chunk`` bytes; what is there is not sent again.

    Raises ChangedError where it gets shorter meanwhile.
    """
    try:
        upload = _begun(to)
    except UntoldError:
        _put_at_once(file, to, chunk)
        return
    if upload is None:
        if _is_there(file, to, chunk):
            return
        upload = Upload.begin(to)
    _complete(file, upload, chunk, _parts(upload))


def unfinished(files: Any, bucket: str, prefix: str) -> Iterator[Upload]:
    """Yield the unfinished uploads of all keys with a prefix.

    Raises UntoldError where the server does not tell them, or not to these credentials.
    """
    marks: dict[str, str] = {}
    while True:
        try:
            found = files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marks)
        except Exception as error:
            if clouds.answer(error)[0] in _NOTHING_TOLD:
                raise UntoldError from error
            raise
        for one in found.get("Uploads") or ():
            to = Key(files, bucket, one["Key"])
            yield Upload(to, str(one["UploadId"]), str(one.get("Initiated", "")))
        if not found.get("IsTruncated"):
            return
        marks = {
            "KeyMarker": found["NextKeyMarker"],
            "UploadIdMarker": found["NextUploadIdMarker"],
        }


def abort(upload: Upload) -> None:
    """Take away an unfinished upload with its parts; one that is gone is no error."""
    try:
        upload.call("abort_multipart_upload")
    except FileNotFoundError:
        pass
    except Exception as error:
        if clouds.answer(error)[0] != "NoSuchUpload":
            raise


def _put_at_once(file: IO[bytes], to: Key, chunk: int) -> None:
    """Put a file where nobody could find an unfinished upload again: none is left behind."""
    upload = Upload.begin(to)
    try:
        _complete(file, upload, chunk, {})
    except Exception:
        with contextlib.suppress(Exception):
            abort(upload)
        raise


def _begun(to: Key) -> Upload | None:
    """Return the newest unfinished upload of a key; None for none."""
    found = (one for one in unfinished(to.files, to.bucket, to.key) if one.to.key == to.key)
    return max(found, key=lambda one: one.initiated, default=None)


def _complete(file: IO[bytes], upload: Upload, chunk: int, there: Tags) -> None:
    """Send the parts that are not there, and make the whole of all of them."""
    length = _size(file)

    def send(number: int) -> str:
        data = _read(file, number, chunk)
        if len(data) != min(chunk, length - (number - 1) * chunk):
            raise ChangedError("it got shorter while it was stored")
        size, tag = there.get(number, (-1, ""))
        if size == len(data) and tag == _md5(data):
            return tag
        sent = upload.call("upload_part", PartNumber=number, Body=data)
        return _plain(sent["ETag"])

    count = math.ceil(length / chunk)
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        tags = list(pool.map(send, range(1, count + 1)))
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    upload.call("complete_multipart_upload", MultipartUpload={"Parts": parts})


def _parts(upload: Upload) -> Tags:
    parts: dict[int, tuple[int, str]] = {}
    marker: dict[str, int] = {}
    while True:
        found = upload.call("list_parts", **marker)
        for one in found.get("Parts") or ():
            parts[int(one["PartNumber"])] = (int(one["Size"]), _plain(one["ETag"]))
        if not found.get("IsTruncated"):
            return parts
        marker = {"PartNumberMarker": int(found["NextPartNumberMarker"])}


def _is_there(file: IO[bytes], to: Key, chunk: int) -> bool:
    """Tell whether the file is at the key already: completed, and the answer was lost."""
    try:
        found = to.call("head_object")
    except FileNotFoundError:
        return False
    size = _size(file)
    if int(found["ContentLength"]) != size:
        return False
    count = math.ceil(size / chunk)
    digests = b"".join(
        hashlib.md5(_read(file, number, chunk), usedforsecurity=False).digest()
        for number in range(1, count + 1)
    )
    return _plain(found["ETag"]) == f"{_md5(digests)}-{count}"


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _read(file: IO[bytes], number: int, chunk: int) -> bytes:
    """Return a part of a file, whatever other threads read of it."""
    data, begin = b"", (number - 1) * chunk
    while len(data) < chunk and (
        more := os.pread(file.fileno(), chunk - len(data), begin + len(data))
    ):
        data += more
    return data


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _plain(tag: str) -> str:
    return tag.strip('"')
