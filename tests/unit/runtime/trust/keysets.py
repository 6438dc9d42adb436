"""Keysets as tinkey writes them."""

import base64
import json
from typing import Any

BEFORE_KEY = "12080880804010201803" + "1a20"


def key(value: bytes, number: int, **changed: Any) -> dict[str, Any]:
    return {
        "keyData": {
            "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            "value": base64.b64encode(bytes.fromhex(BEFORE_KEY) + value).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": "ENABLED",
        "keyId": number,
        "outputPrefixType": "RAW",
        **changed,
    }


def keyset(*keys: dict[str, Any], primary: int = 7) -> str:
    return json.dumps({"primaryKeyId": primary, "key": list(keys)})


KEY = bytes(range(32))
KEYSET = keyset(key(KEY, 7))
