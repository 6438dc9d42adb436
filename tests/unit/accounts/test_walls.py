"""What an account of one namespace must not do to another, on a real versitygw."""

from collections.abc import Callable

import pytest

from slipway.accounts.errors import Refused
from slipway.accounts.server.admin import Account, Caller, StoreServer
from slipway.accounts.server.signing import Key
from slipway.settings import FOLDERS
from tests.harness.s3 import BUCKET
from tests.unit.accounts.conftest import REGION, S3, World, refusal

DENIED = "AccessDenied"
VICTIM_KEY = "models/victim/iris/uid/iris-1.0.mar"


@pytest.fixture
async def places(world: World) -> tuple[str, str]:
    """The buckets of an attacker and of a victim who has stored something."""
    world.cluster.add("attacker", "uid-of-attacker")
    world.cluster.add("victim", "uid-of-victim")
    mine, others = await world.open("attacker"), await world.open("victim")
    assert world.client("victim").put(others, VICTIM_KEY, b"secret") == ""
    return mine, others


async def test_an_account_reads_and_writes_and_lists_its_own(world: World) -> None:
    world.cluster.add("team", "uid")
    bucket = await world.open("team")
    client = world.client("team")
    for folder in FOLDERS:
        assert client.put(bucket, f"{folder}/team/x", b"1") == ""
        assert client.read(bucket, f"{folder}/team/x") == b"1"
    assert client.list(bucket, "outputs/team/", Delimiter="/") == ""
    assert refusal(lambda: client.raw.delete_object(Bucket=bucket, Key="outputs/team/x")) == ""
    parts = client.raw.create_multipart_upload(Bucket=bucket, Key="outputs/team/big")
    assert client.raw.list_multipart_uploads(Bucket=bucket)["Uploads"]
    upload = {"Bucket": bucket, "Key": "outputs/team/big", "UploadId": parts["UploadId"]}
    assert refusal(lambda: client.raw.abort_multipart_upload(**upload)) == ""


ATTACKS: dict[str, Callable[[S3, str, str], str]] = {
    "read": lambda s3, _mine, others: s3.get(others, VICTIM_KEY),
    "write": lambda s3, _mine, others: s3.put(others, VICTIM_KEY, b"EVIL"),
    "list": lambda s3, _mine, others: s3.list(others),
    "list by prefix": lambda s3, _mine, others: s3.list(others, "models/victim/"),
    "delete": lambda s3, _mine, others: refusal(
        lambda: s3.raw.delete_object(Bucket=others, Key=VICTIM_KEY)
    ),
    "copy": lambda s3, mine, others: refusal(
        lambda: s3.raw.copy_object(
            Bucket=mine, Key="outputs/x", CopySource={"Bucket": others, "Key": VICTIM_KEY}
        )
    ),
    "begin an upload": lambda s3, _mine, others: refusal(
        lambda: s3.raw.create_multipart_upload(Bucket=others, Key=VICTIM_KEY)
    ),
    "list uploads": lambda s3, _mine, others: refusal(
        lambda: s3.raw.list_multipart_uploads(Bucket=others)
    ),
    "open one's own bucket to all": lambda s3, mine, _others: refusal(
        lambda: s3.raw.put_bucket_acl(Bucket=mine, ACL="public-read")
    ),
    "change one's own policy": lambda s3, mine, _others: refusal(
        lambda: s3.raw.put_bucket_policy(Bucket=mine, Policy="{}")
    ),
    "remove one's own policy": lambda s3, mine, _others: refusal(
        lambda: s3.raw.delete_bucket_policy(Bucket=mine)
    ),
    "make a bucket": lambda s3, _mine, _others: refusal(
        lambda: s3.raw.create_bucket(Bucket="another")
    ),
    "delete one's bucket": lambda s3, mine, _others: refusal(
        lambda: s3.raw.delete_bucket(Bucket=mine)
    ),
    "write beside the folders": lambda s3, mine, _others: s3.put(mine, "anything"),
    "write into the release's bucket": lambda s3, _mine, _others: s3.put(
        BUCKET, "outputs/attacker/x"
    ),
    "write what is shared": lambda s3, _mine, _others: s3.put(BUCKET, "shared/x"),
    "list the release's bucket": lambda s3, _mine, _others: s3.list(BUCKET),
    "list the claims": lambda s3, _mine, _others: s3.list(BUCKET, "namespaces/"),
    "write a claim": lambda s3, _mine, _others: s3.put(BUCKET, "namespaces/victim/uid"),
}


async def test_an_account_is_denied_whatever_it_tries(
    world: World, places: tuple[str, str]
) -> None:
    mine, others = places
    attacker, victim = world.client("attacker"), world.client("victim")
    answers = {name: attack(attacker, mine, others) for name, attack in ATTACKS.items()}
    assert answers == dict.fromkeys(ATTACKS, DENIED)
    assert victim.read(others, VICTIM_KEY) == b"secret"
    assert victim.keys(others) == [VICTIM_KEY]


@pytest.mark.parametrize("form", ["outputs/../../{}", "../{}", "outputs/./../../{}", "./../{}"])
async def test_a_key_leads_out_of_no_bucket(
    world: World, places: tuple[str, str], form: str
) -> None:
    mine, others = places
    client, key = world.client("attacker"), form.format(f"{others}/{VICTIM_KEY}")
    assert client.get(mine, key)
    assert client.put(mine, key, b"EVIL")
    assert refusal(lambda: client.raw.create_multipart_upload(Bucket=mine, Key=key))
    assert refusal(lambda: client.raw.delete_object(Bucket=mine, Key=key))
    assert client.raw.delete_objects(Bucket=mine, Delete={"Objects": [{"Key": key}]})["Errors"]
    source = {"Bucket": mine, "Key": key}
    assert refusal(lambda: client.raw.copy_object(Bucket=mine, Key="outputs/x", CopySource=source))
    folder = key.removesuffix("iris-1.0.mar")
    assert refusal(lambda: client.raw.list_objects_v2(Bucket=mine, Prefix=folder)) or (
        client.keys(mine, folder) == []
    )
    assert world.client("victim").read(others, VICTIM_KEY) == b"secret"


async def test_an_account_has_no_part_in_administration(
    world: World, places: tuple[str, str]
) -> None:
    held = world.cluster.secrets["attacker"]
    key = Key(held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"])
    server = StoreServer(Caller(f"http://127.0.0.1:{world.store.port}", key, REGION))
    for request in (
        server.accounts(),
        server.make_account(Account("evil", "secret")),
        server.remove_account(world.cluster.secrets["victim"]["AWS_ACCESS_KEY_ID"]),
        server.make_bucket("evil", key.id),
    ):
        with pytest.raises(Refused, match="XAdminAccessDenied"):
            await request
    assert world.client("victim").read(places[1], VICTIM_KEY) == b"secret"


async def test_what_is_shared_is_read_by_every_namespace_and_by_nobody_without_an_account(
    world: World, places: tuple[str, str]
) -> None:
    assert world.root().put(BUCKET, "shared/base/model.pt", b"weights") == ""
    for namespace in ("attacker", "victim"):
        client = world.client(namespace)
        assert client.read(BUCKET, "shared/base/model.pt") == b"weights"
        assert client.keys(BUCKET, "shared/base/") == ["shared/base/model.pt"]
    nobody = S3(world.store, {})
    assert nobody.get(BUCKET, "shared/base/model.pt") == DENIED
    assert nobody.list(places[1]) == DENIED
