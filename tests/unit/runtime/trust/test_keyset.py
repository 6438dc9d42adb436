import json
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.trust import keyset
from slipway_pods.trust.errors import TrustError
from tests.unit.runtime.trust import keysets

OTHER = bytes(range(100, 132))

WRITTEN_BY_TINK = """{
  "primaryKeyId": 2094644340,
  "key": [
    {
      "keyData": {
        "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        "value": "EggIgIBAECAYAxogT/rbvH/dY4W0ZDQPgmSStaEpo96D1tXFYIANPSZe+Ko=",
        "keyMaterialType": "SYMMETRIC"
      },
      "status": "ENABLED",
      "keyId": 2094644340,
      "outputPrefixType": "RAW"
    }
  ]
}"""
"""By Tink 1.16.1 for its template AES256_GCM_HKDF_1MB."""


def read(folder: Path, text: str) -> tuple[bytes, ...]:
    path = folder / "keyset.json"
    path.write_text(text)
    return keyset.read(path, "package.encrypt.keySecretRef")


def test_a_keyset_of_tinks_own_is_read(tmp_path: Path) -> None:
    (key,) = read(tmp_path, WRITTEN_BY_TINK)
    assert key.hex().startswith("4ffadbbc7fdd63")


def test_the_primary_key_comes_first_and_what_is_not_enabled_is_left_out(tmp_path: Path) -> None:
    text = keysets.keyset(
        keysets.key(OTHER, 3),
        keysets.key(bytes(32), 4, status="DISABLED"),
        keysets.key(keysets.KEY, 7),
    )
    assert read(tmp_path, text) == (keysets.KEY, OTHER)


def test_a_secret_that_is_not_there_is_named_by_its_field(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"package[.]encrypt[.]keySecretRef") as caught:
        keyset.read(tmp_path / "keyset.json", "package.encrypt.keySecretRef")
    assert caught.value.reason == "KeyNotFound"


GOOD = keysets.key(keysets.KEY, 7)
NO_KEYSETS: list[Any] = [
    "",
    "secret words",
    "[]",
    "[" * 100_000,
    '{"primaryKeyId": 7}',
    keysets.keyset(),
    keysets.keyset(GOOD, primary=8),
    keysets.keyset({**GOOD, "status": "DISABLED"}),
    keysets.keyset(*[GOOD] * 65),
    keysets.keyset(keysets.key(keysets.KEY[:16], 7)),
    keysets.keyset({**GOOD, "keyData": {**GOOD["keyData"], "typeUrl": "another"}}),
    keysets.keyset({**GOOD, "keyData": {**GOOD["keyData"], "value": "no base64!"}}),
    json.dumps({"primaryKeyId": 7, "key": GOOD}),
    WRITTEN_BY_TINK + " " * 64 * 1024,
]


@pytest.mark.parametrize("text", NO_KEYSETS, ids=range(len(NO_KEYSETS)))
def test_what_is_no_keyset_is_refused_without_showing_what_it_says(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(TrustError) as caught:
        read(tmp_path, text)
    assert caught.value.reason == "InvalidKey"
    assert "secret words" not in str(caught.value)
