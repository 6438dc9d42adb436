"""An account from its making to its end, on a real versitygw."""

from datetime import timedelta

import pytest

from slipway.accounts.errors import CredentialError
from tests.harness.s3 import BUCKET
from tests.unit.accounts.conftest import ROOT, World

OLD_KEY = "outputs/team/job/uid/model.pt"


def ids(world: World, namespace: str = "team") -> str:
    return world.cluster.secrets[namespace]["AWS_ACCESS_KEY_ID"]


async def test_an_operator_that_starts_anew_changes_nothing(world: World) -> None:
    world.cluster.add("team", "uid")
    bucket = await world.open("team")
    before = world.cluster.secrets["team"]
    world.restart()
    world.clock.pass_by(days=400)
    assert await world.open("team") == bucket
    assert world.cluster.secrets["team"] == before
    assert world.client("team").put(bucket, "outputs/x") == ""


async def test_a_store_that_lost_its_accounts_gets_them_back_as_they_were(world: World) -> None:
    world.cluster.add("team", "uid")
    await world.open("team")
    before = world.cluster.secrets["team"]
    await world.server.remove_account(before["AWS_ACCESS_KEY_ID"])
    world.restart()
    bucket = await world.open("team")
    assert world.cluster.secrets["team"] == before
    assert world.client("team").put(bucket, "outputs/x") == ""


@pytest.mark.parametrize("change", ["secret", "another's", "root", "future"])
async def test_a_secret_that_somebody_changed_opens_no_more_than_before(
    world: World, change: str
) -> None:
    world.cluster.add("team", "uid")
    world.cluster.add("other", "uid-of-other")
    bucket, others = await world.open("team"), await world.open("other")
    held = dict(world.cluster.secrets["team"])
    world.cluster.secrets["team"] = {
        "secret": {**held, "AWS_SECRET_ACCESS_KEY": "of my own"},
        "another's": world.cluster.secrets["other"],
        "root": {"AWS_ACCESS_KEY_ID": ROOT.id, "AWS_SECRET_ACCESS_KEY": "guessed"},
        "future": {**held, "AWS_ACCESS_KEY_ID": f"{ids(world).rpartition('.')[0]}.ffffffff"},
    }[change]
    await world.open("team")
    assert world.client("team").put(bucket, "outputs/x") == ""
    assert world.client("team").list(others) == "AccessDenied"
    assert "of my own" not in world.cluster.secrets["team"].values()


async def test_the_accounts_go_with_the_last_object_and_the_data_stays(world: World) -> None:
    world.cluster.add("team", "uid")
    world.cluster.add("te", "uid-of-another")
    bucket, _ = await world.open("team"), await world.open("te")
    client = world.client("team")
    client.put(bucket, "outputs/x", b"kept")
    del world.cluster.objects["team"]
    await world.accounts.remove("team")
    assert client.get(bucket, "outputs/x") == "InvalidAccessKeyId"
    assert world.root().read(bucket, "outputs/x") == b"kept"
    assert list(await world.server.accounts()) == [ids(world, "te")]
    world.cluster.objects["team"] = "a new object"
    del world.cluster.secrets["team"]
    assert await world.open("team") == bucket
    assert world.client("team").read(bucket, "outputs/x") == b"kept"


async def test_accounts_of_namespaces_that_emptied_while_no_operator_ran_go_later(
    world: World,
) -> None:
    world.cluster.add("gone", "uid-of-gone")
    await world.open("gone")
    del world.cluster.objects["gone"]
    world.restart()
    world.cluster.add("team", "uid")
    await world.open("team")
    assert list(await world.server.accounts()) == [ids(world)]


async def test_namespaces_that_come_and_go_leave_nothing_in_memory(world: World) -> None:
    world.cluster.add("stays", "uid-of-stays")
    await world.open("stays")
    known = len(world.accounts._let_in)
    for number in range(3):
        world.cluster.add("team", f"uid-{number}")
        await world.open("team")
        del world.cluster.objects["team"], world.cluster.secrets["team"]
        await world.accounts.remove("team")
    assert len(world.accounts._let_in) == known


async def test_a_namespace_whose_accounts_the_store_lost_leaves_nothing_in_memory(
    world: World,
) -> None:
    world.cluster.add("team", "uid")
    await world.open("team")
    access = ids(world)
    await world.server.remove_account(access)
    del world.accounts._accounts[access], world.cluster.objects["team"]
    await world.accounts.remove("team")
    assert set(world.accounts._let_in) == {BUCKET}


async def test_a_namespace_that_goes_while_its_place_is_asked_for_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cluster.add("team", "uid")
    owner, has_bucket = world.cluster.objects["team"], world.server.has_bucket

    async def meanwhile(bucket: str) -> bool:
        del world.cluster.objects["team"]
        await world.accounts.remove("team")
        return await has_bucket(bucket)

    monkeypatch.setattr(world.server, "has_bucket", meanwhile)
    assert (await world.accounts.place("team", owner)).startswith("s3://ns-team-")
    assert not world.accounts._places._known


async def test_a_namespace_made_anew_finds_nothing_of_its_predecessors(world: World) -> None:
    world.cluster.add("team", "uid-1")
    first = await world.open("team")
    old = world.client("team")
    old.put(first, "outputs/x", b"of the first owner")
    world.cluster.add("team", "uid-2")
    del world.cluster.secrets["team"]
    second = await world.open("team")
    new = world.client("team")
    assert second != first
    assert new.keys(second) == []
    assert new.list(first) == "AccessDenied"
    assert new.get(first, "outputs/x") == "AccessDenied"
    assert old.get(first, "outputs/x") == "InvalidAccessKeyId"
    assert world.root().read(first, "outputs/x") == b"of the first owner"


async def test_a_new_namespace_is_noticed_by_its_new_object_without_a_restart(
    world: World,
) -> None:
    world.cluster.add("team", "uid-1")
    first = await world.accounts.place("team", world.cluster.objects["team"])
    world.cluster.add("team", "uid-2")
    assert await world.accounts.place("team", world.cluster.objects["team"]) != first


class TestOldLayout:
    """What release 0.2.0 put under ``s3://slipway/{outputs,models,checkpoints}/NAMESPACE``."""

    @pytest.fixture(autouse=True)
    async def release_0_2_0(self, world: World) -> None:
        for namespace in ("team", "other"):
            key = OLD_KEY.replace("team", namespace)
            assert world.root().put(BUCKET, key, namespace.encode()) == ""
            world.cluster.add(namespace, f"uid-of-{namespace}", world.clock() - timedelta(days=1))

    async def test_is_read_listed_and_written_by_its_own_namespace_alone(
        self, world: World
    ) -> None:
        assert [await world.open("team"), await world.open("other")] == [BUCKET, BUCKET]
        client = world.client("team")
        assert client.read(BUCKET, OLD_KEY) == b"team"
        assert client.keys(BUCKET, "outputs/team/job/") == [OLD_KEY]
        assert client.put(BUCKET, "checkpoints/team/job/uid/x") == ""
        others = OLD_KEY.replace("team", "other")
        assert client.get(BUCKET, others) == "AccessDenied"
        assert client.put(BUCKET, others) == "AccessDenied"
        for prefix in ("", "outputs/", "outputs/other/", "outputs/team", "outputs/team/../other/"):
            assert client.list(BUCKET, prefix) == "AccessDenied" or not client.keys(BUCKET, prefix)

    async def test_stays_where_it_is_when_the_operator_starts_anew(self, world: World) -> None:
        await world.open("team")
        world.restart()
        assert await world.open("team") == BUCKET

    async def test_is_not_given_to_a_later_namespace_of_the_name(self, world: World) -> None:
        await world.open("team")
        world.cluster.add("team", "uid-2")
        del world.cluster.secrets["team"]
        assert await world.open("team") != BUCKET
        assert world.client("team").get(BUCKET, OLD_KEY) == "AccessDenied"

    async def test_of_a_namespace_that_is_gone_is_given_to_nobody(self, world: World) -> None:
        await world.open("other")
        world.cluster.add("team", "uid-2", world.clock() + timedelta(hours=1))
        assert await world.open("team") != BUCKET
        assert world.client("team").get(BUCKET, OLD_KEY) == "AccessDenied"

    async def test_is_kept_for_pods_that_have_stored_nothing_yet(self, world: World) -> None:
        world.cluster.add("busy", "uid-of-busy", world.clock() - timedelta(days=1))
        world.cluster.secrets["busy"] = {"AWS_ACCESS_KEY_ID": ROOT.id}
        assert await world.open("busy") == BUCKET
        assert world.root().put(BUCKET, "outputs/busy/job/uid/x", b"late") == ""
        assert world.client("busy").read(BUCKET, "outputs/busy/job/uid/x") == b"late"


class TestRenewal:
    async def test_two_keys_hold_until_no_pod_has_the_old_one(self, world: World) -> None:
        world.max_age = timedelta(days=30)
        world.restart()
        world.cluster.add("team", "uid")
        bucket = await world.open("team")
        running, old = world.client("team"), ids(world)
        world.cluster.holders["team"] = world.clock()
        world.clock.pass_by(days=31)
        await world.open("team")
        assert ids(world) != old
        world.clock.pass_by(hours=5)
        await world.open("team")
        assert running.put(bucket, "outputs/of-the-old-key") == ""
        assert world.client("team").put(bucket, "outputs/of-the-new-key") == ""
        world.cluster.holders["team"] = world.clock()
        await world.open("team")
        assert running.put(bucket, "outputs/x") == "InvalidAccessKeyId"
        assert world.client("team").put(bucket, "outputs/x") == ""

    async def test_a_new_key_is_made_when_somebody_deletes_the_secret(self, world: World) -> None:
        world.cluster.add("team", "uid")
        bucket = await world.open("team")
        running, old = world.client("team"), ids(world)
        world.cluster.holders["team"] = world.clock()
        del world.cluster.secrets["team"]
        await world.open("team")
        assert ids(world) != old
        assert running.put(bucket, "outputs/x") == ""

    async def test_a_pod_that_began_while_the_secret_was_written_may_have_the_old_key(
        self, world: World
    ) -> None:
        world.cluster.add("team", "uid")
        bucket = await world.open("team")
        running = world.client("team")
        del world.cluster.secrets["team"]
        world.clock.pass_by(hours=1)
        await world.open("team")
        world.clock.pass_by(seconds=30)
        world.cluster.holders["team"] = world.clock()
        world.clock.pass_by(hours=1)
        await world.open("team")
        assert running.put(bucket, "outputs/x") == ""


class TestStoreAway:
    async def test_a_namespace_without_an_account_waits_for_it(self, world: World) -> None:
        world.cluster.add("team", "uid")
        world.store.stop()
        with pytest.raises(CredentialError, match="does not answer"):
            await world.open("team")
        world.store.start()
        world.restart()
        assert (await world.open("team")).startswith("ns-team-")

    async def test_one_that_has_an_account_keeps_it(self, world: World) -> None:
        world.cluster.add("team", "uid")
        bucket, before = await world.open("team"), world.cluster.secrets["team"]
        world.restart()
        await world.accounts.place("team", world.cluster.objects["team"])
        world.store.stop()
        assert await world.open("team") == bucket
        assert world.cluster.secrets["team"] == before

    async def test_an_operator_that_starts_then_knows_what_it_noted(self, world: World) -> None:
        world.cluster.add("team", "uid")
        bucket, before = await world.open("team"), world.cluster.secrets["team"]
        world.store.stop()
        world.restart()
        assert await world.open("team") == bucket
        assert world.cluster.secrets["team"] == before

    async def test_a_secret_of_the_namespaces_own_tells_it_by_the_same_note(
        self, world: World
    ) -> None:
        world.cluster.add("team", "uid")
        bucket = await world.open("team")
        world.cluster.foreign.add("team")
        world.cluster.secrets["team"] = {"AWS_ACCESS_KEY_ID": "mine"}
        world.store.stop()
        world.restart()
        place = await world.accounts.place("team", world.cluster.objects["team"])
        assert place == f"s3://{bucket}"

    @pytest.mark.parametrize("noted", ["ns-other-0123456789abcdef", "", "another", "slipway/x"])
    async def test_no_bucket_is_believed_that_cannot_be_the_namespaces(
        self, world: World, noted: str
    ) -> None:
        world.cluster.add("team", "uid")
        await world.open("team")
        world.cluster.buckets["team"] = noted
        world.store.stop()
        world.restart()
        with pytest.raises(CredentialError, match="does not answer"):
            await world.open("team")

    async def test_what_was_noted_holds_no_longer_than_the_store_is_away(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("slipway.accounts.server.admin._SILENT_SECONDS", 0.0)
        world.cluster.add("team", "uid")
        bucket = await world.open("team")
        world.cluster.buckets["team"] = "slipway"
        world.store.stop()
        world.restart()
        assert await world.open("team") == "slipway"
        world.store.start()
        assert await world.open("team") == bucket

    async def test_a_namespace_of_release_0_2_0_is_known_by_the_key_that_it_has(
        self, world: World
    ) -> None:
        world.cluster.add("team", "uid")
        world.cluster.secrets["team"] = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s"}
        world.store.stop()
        place = await world.accounts.place("team", world.cluster.objects["team"])
        assert place == "s3://slipway"


async def test_accounts_of_one_second_are_not_made_again_and_again(world: World) -> None:
    world.cluster.add("team", "uid")
    for _ in range(3):
        world.cluster.secrets.pop("team", None)
        await world.open("team")
    before = world.cluster.secrets["team"]
    await world.open("team")
    assert world.cluster.secrets["team"] == before
