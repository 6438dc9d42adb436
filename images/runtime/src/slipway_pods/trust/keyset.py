"""Keys for the encryption of archives: Tink's keysets in JSON, of one type of key.

The type is Tink's ``AES256_GCM_HKDF_1MB``. A keyset has a primary key, by which archives are
encrypted, and may have earlier ones, which still open what they encrypted: so a key is renewed.

Source: https://developers.google.com/tink/design/keysets; tink.proto and
aes_gcm_hkdf_streaming.proto in https://github.com/tink-crypto/tink-cc/tree/main/proto
"""

import base64
import json
from pathlib import Path
from typing import Any

from slipway_pods.trust.errors import TrustError

TYPE_URL = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
KEY_BYTES = 32
_BEFORE_KEY = bytes.fromhex("12080880804010201803" + "1a20")
"""A key's protobuf before its 32 bytes: version 0; ciphertext_segment_size 1048576,
derived_key_size 32 and hkdf_hash_type SHA256; the tag and length of key_value."""
MAX_BYTES = 64 * 1024
MAX_KEYS = 64
WRITE = (
    "write a Tink keyset in JSON with keys of the type AES256_GCM_HKDF_1MB, as docs/trust.md shows"
)


def read(path: Path, field: str) -> tuple[bytes, ...]:
    """Return the keys of a keyset's file, the primary one first, each of 32 bytes.

    ``field`` is how messages call what names the file's Secret. Raises TrustError (InvalidKey).
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TrustError(
            "KeyNotFound",
            f"The Secret that {field} names is not there, or has no such key: {WRITE}.",
        ) from error
    try:
        return _keys(json.loads(data) if len(data) <= MAX_BYTES else None)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        text = f"The key that {field} names is no keyset: {WRITE}."
        raise TrustError("InvalidKey", text) from error


def _keys(keyset: Any) -> tuple[bytes, ...]:
    entries, primary = keyset["key"], keyset["primaryKeyId"]
    if not 0 < len(entries) <= MAX_KEYS:
        raise ValueError("number of keys")
    enabled = [one for one in entries if one["status"] == "ENABLED"]
    enabled.sort(key=lambda one: one["keyId"] != primary)  # the primary one first
    if not enabled or enabled[0]["keyId"] != primary:
        raise ValueError("no primary key")
    return tuple(_key(one["keyData"]) for one in enabled)


def _key(data: Any) -> bytes:
    value = base64.b64decode(data["value"], validate=True)
    known = data["typeUrl"] == TYPE_URL and value.startswith(_BEFORE_KEY)
    if not known or len(value) != len(_BEFORE_KEY) + KEY_BYTES:
        raise ValueError("type of key")
    return value[len(_BEFORE_KEY) :]
