"""How a container gets what opens a place."""

from pathlib import Path
from typing import Any

import pytest

from slipway import opened
from slipway.accounts.fixed import IdentityCredentials
from slipway.accounts.trust import Trust, Trusted
from slipway.api.trust.keys import ConfigMapKeyReference
from slipway.opened import Opened, by_secret, key_file, place, store, volumes
from slipway.settings import StoreSettings
from slipway.store import store_identity, store_secrets

IDENTITY = StoreSettings(credentials="identity", service_account="user", endpoint="https://s3")


def test_a_secret_is_mounted_as_files_and_named_by_a_variable() -> None:
    found = store(StoreSettings())
    (volume,), (mount,) = found.volumes, found.mounts
    assert volume["secret"] == {"secretName": "slipway-store"}
    assert mount == {"name": volume["name"], "mountPath": "/slipway/credentials", "readOnly": True}
    assert found.env == ({"name": "SLIPWAY_CREDENTIALS_DIR", "value": "/slipway/credentials"},)


def test_the_longest_secrets_name_makes_a_volume_that_kubernetes_takes() -> None:
    names = ["a" * 253, "a" * 252 + "b", "with.dots"]
    made = [by_secret(name).volumes[0]["name"] for name in names]
    assert len(set(made)) == len(names)
    assert all(len(name) <= 63 and "." not in name for name in made)


def test_a_pods_identity_needs_no_secret_but_to_know_where_the_store_is() -> None:
    assert store(IDENTITY).volumes == ()
    assert {one["name"]: one["value"] for one in store(IDENTITY).env} == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "https://s3",
    }


def test_pods_learn_where_the_store_is_told_the_bucket() -> None:
    (secret,) = store_secrets(StoreSettings(addressing_style="virtual"), "team")
    assert secret["stringData"]["AWS_S3_ADDRESSING_STYLE"] == "virtual"
    told = {"name": "AWS_S3_ADDRESSING_STYLE", "value": "virtual"}
    assert told in store(IDENTITY.model_copy(update={"addressing_style": "virtual"})).env
    (secret,) = store_secrets(StoreSettings(), "team")
    assert "AWS_S3_ADDRESSING_STYLE" not in secret["stringData"]


def test_pods_with_an_identity_run_as_its_account_and_no_secret_is_made() -> None:
    assert store_secrets(IDENTITY, "team") == ()
    assert store_identity(IDENTITY) == {"serviceAccountName": "user"}
    assert store_identity(StoreSettings(service_account="user")) == {}


async def test_pods_with_an_identity_learn_the_stores_authorities_from_a_secret_without_a_key(
    tmp_path: Path,
) -> None:
    authorities = tmp_path / "ca.crt"
    authorities.write_text("-----BEGIN CERTIFICATE-----")
    private = IDENTITY.model_copy(update={"ca_file": str(authorities), "access_key_id": "root"})
    assert names(store(private).volumes) == ["slipway-store"]
    (secret,) = store_secrets(private, "team")
    assert secret["stringData"] == {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "https://s3",
    }
    credentials = Trusted(IdentityCredentials(private), Trust(str(authorities)))
    assert await credentials.data("team", None) == {"ca.crt": "-----BEGIN CERTIFICATE-----"}
    assert store_identity(private) == {"serviceAccountName": "user"}


@pytest.mark.parametrize(
    ("uri", "secret", "wanted"),
    [
        ("s3://slipway/x", None, ["slipway-store"]),
        ("s3://slipway/x", "keys", ["keys"]),
        ("https://host/x", "keys", ["keys"]),
        ("https://host/x", None, []),
    ],
)
def test_the_stores_secret_opens_s3_alone(uri: str, secret: str | None, wanted: list[str]) -> None:
    assert names(place(uri, secret, StoreSettings()).volumes) == wanted


def test_a_secret_that_two_containers_read_is_one_volume_and_needed_where_one_needs_it() -> None:
    user, own = by_secret("slipway-store"), store(StoreSettings())
    for order in ([user, own], [own, user], [own, own]):
        (volume,) = volumes(order)
        assert volume["secret"] == {"secretName": "slipway-store"}
    assert opened.Opened() == place("hf://model", None, IDENTITY)


def test_a_config_map_that_two_containers_read_is_one_volume_too() -> None:
    keys = key_file(ConfigMapKeyReference(name="signers", key="pem"), "/slipway/keys/trust/a.pem")
    (volume,) = volumes([keys, keys])
    assert volume == keys.volumes[0]
    both = volumes([keys, store(StoreSettings())])
    assert [sorted(one) for one in both] == [["configMap", "name"], ["name", "secret"]]
    needed = Opened(({"name": volume["name"], "configMap": {"name": "signers"}},))
    for order in ([keys, needed], [needed, keys]):
        assert volumes(order) == [*needed.volumes]


def names(found: Any) -> list[str]:
    return [volume["secret"]["secretName"] for volume in found]
