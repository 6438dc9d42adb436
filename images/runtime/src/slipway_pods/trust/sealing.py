"""Encryption of a file in segments: Tink's streaming AEAD ``AES256_GCM_HKDF_1MB``, by OpenSSL.

A file begins with a header: its length (one byte, 40), a salt (32 bytes), a nonce's prefix (7
bytes). Segments of 1 MiB follow, the first one shorter by the header, each with a tag of 16 bytes
at its end. The key of a file is HKDF-SHA256 of the keyset's key, the salt, and the associated data.
A segment's nonce is the prefix, its number (four bytes) and 1 for the last segment, else 0: so none
can be changed, left out, repeated or moved without notice.

Tink's own library opens what is written here, and the other way round. It is not used, as its
wheel (16 MB with protobuf and absl) reads at a tenth of OpenSSL's speed.

Source: https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from slipway_pods.trust.errors import TrustError

SEGMENT = 1024 * 1024
"""Size of an encrypted segment, in bytes; the first one's with the header."""
TAG = 16
_SALT, _PREFIX = 32, 7
HEADER = 1 + _SALT + _PREFIX


@dataclass(frozen=True)
class _Cipher:
    """The cipher of one file: its derived key, and the beginning of its segments' nonces."""

    aead: AESGCM
    prefix: bytes

    @classmethod
    def of(cls, key: bytes, header: bytes, associated_data: bytes) -> "_Cipher":
        salt, prefix = header[1 : 1 + _SALT], header[1 + _SALT :]
        derived = HKDF(SHA256(), 32, salt, associated_data).derive(key)
        return cls(AESGCM(derived), prefix)

    def nonce(self, number: int, last: bool) -> bytes:
        return self.prefix + number.to_bytes(4, "big") + bytes([last])

    def opened(self, segment: bytes, number: int, last: bool) -> bytes | None:
        """Return a segment's content; None where it was not encrypted as this one."""
        try:
            return self.aead.decrypt(self.nonce(number, last), segment, None)
        except InvalidTag:
            return None


def seal(plain: BufferedIOBase, sealed: IO[bytes], key: bytes, associated_data: bytes) -> None:
    """Encrypt a file into another one; memory is that of a few segments.

    Salt and prefix follow from key, content and associated data, so that the same archive is the
    same bytes however often it is made; another content has others.
    """
    head = header(plain, key, associated_data)
    cipher = _Cipher.of(key, head, associated_data)
    plain.seek(0)
    sealed.write(head)
    number, segment = 0, plain.read(SEGMENT - HEADER - TAG)
    while True:
        following = plain.read(SEGMENT - TAG)
        sealed.write(cipher.aead.encrypt(cipher.nonce(number, not following), segment, None))
        if not following:
            return
        number, segment = number + 1, following


def header(plain: BufferedIOBase, key: bytes, associated_data: bytes) -> bytes:
    """Return the header that a file gets."""
    plain.seek(0)
    digest = hashlib.file_digest(plain, "sha256").digest()
    random = hmac.digest(key, b"slipway\0" + digest + associated_data, "sha512")
    return bytes([HEADER]) + random[: _SALT + _PREFIX]


def unseal(file: IO[bytes], keys: Sequence[bytes], associated_data: bytes) -> None:
    """Decrypt a file that may be read and written, in its place; memory is that of a few segments.

    What was decrypted is worth nothing before the function returns: give the file its name then.
    Raises TrustError (WrongKey, ArchiveCut, ArchiveChanged), with the content lost.
    """
    size = os.fstat(file.fileno()).st_size
    count = -(-size // SEGMENT)
    file.seek(0)
    head, begin = file.read(HEADER), HEADER
    if head[:1] != bytes([HEADER]):
        raise TrustError("ArchiveChanged", "it is not encrypted: it begins otherwise")
    if len(head) < HEADER:
        raise TrustError("ArchiveCut", "it ends in its header")
    ciphers = [_Cipher.of(key, head, associated_data) for key in keys]
    written = 0
    for number in range(count):
        file.seek(begin)
        segment = file.read((number + 1) * SEGMENT - begin)
        begin += len(segment)
        cipher, content = _opened(ciphers, segment, number, count)
        ciphers = [cipher]
        file.seek(written)
        written += file.write(content)
    file.truncate(written)


def _opened(
    ciphers: Sequence[_Cipher], segment: bytes, number: int, count: int
) -> tuple[_Cipher, bytes]:
    """Return the cipher that opens a segment, and the segment's content; raises TrustError."""
    last = number == count - 1
    for cipher in ciphers:
        content = cipher.opened(segment, number, last)
        if content is not None:
            return cipher, content
    raise _refusal(ciphers, segment, number, count)


def _refusal(ciphers: Sequence[_Cipher], segment: bytes, number: int, count: int) -> TrustError:
    last, which = number == count - 1, f"segment {number + 1} of {count}"
    if any(cipher.opened(segment, number, not last) is not None for cipher in ciphers):
        if last:
            return TrustError("ArchiveCut", f"it ends after {which}, which is not its last")
        return TrustError("ArchiveChanged", f"it goes on after {which}, which is its last")
    if number == 0:
        return TrustError(
            "WrongKey",
            "none of the keys opens it: they are another archive's, or its associated data is, or "
            "its beginning was changed",
        )
    return TrustError("ArchiveChanged", f"{which} was changed, cut or moved")
