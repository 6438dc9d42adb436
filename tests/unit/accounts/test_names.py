"""Names of buckets and accounts, and what policies say, for any namespace."""

import fnmatch
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.accounts.names import AccountName, Tenant, claimed
from slipway.accounts.policy import Folder, own_bucket, release_bucket, session
from slipway.settings import FOLDERS

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
SHARED = [Folder("slipway", "shared/"), Folder("another", "shared/")]
UIDS = st.uuids().map(str)
TENANTS = st.builds(Tenant, LABELS, UIDS)
MOMENTS = st.floats(1.6e9, 3.8e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(TENANTS)
def test_a_bucket_has_a_name_that_s3_takes(tenant: Tenant) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", tenant.bucket)


@given(TENANTS, TENANTS)
def test_two_namespaces_share_no_bucket_and_no_account(first: Tenant, second: Tenant) -> None:
    if first == second:
        return
    assert first.bucket != second.bucket
    account = first.account(datetime.now(UTC))
    assert first.owns(account)
    assert not second.owns(account)


@pytest.mark.parametrize("other", ["a" * 62 + "c", "a" * 62])
def test_long_names_that_begin_alike_have_buckets_of_their_own(other: str) -> None:
    assert Tenant("a" * 62 + "b", "uid").bucket != Tenant(other, "uid").bucket


@given(TENANTS, MOMENTS)
def test_an_account_tells_its_namespace_and_its_time(tenant: Tenant, made: datetime) -> None:
    account = tenant.account(made)
    assert AccountName.parse(str(account)) == account
    assert 0 <= (made - account.made_at).total_seconds() < 1
    assert len(str(account)) <= 128


@given(st.text(max_size=100))
def test_no_other_text_is_an_account(text: str) -> None:
    parsed = AccountName.parse(text)
    assert parsed is None or str(parsed) == text


@given(st.lists(TENANTS, max_size=4, unique=True))
def test_claims_are_read_as_they_are_written(tenants: list[Tenant]) -> None:
    assert claimed([*(tenant.claim for tenant in tenants), "namespaces/.since"]) == tenants


@given(
    st.lists(TENANTS, min_size=1, max_size=4, unique_by=lambda tenant: tenant.namespace),
    st.sampled_from(FOLDERS),
)
def test_a_policy_of_the_releases_bucket_opens_a_folder_to_its_claimant_alone(
    tenants: list[Tenant], folder: str
) -> None:
    accounts = [tenant.account(datetime.now(UTC)) for tenant in tenants]
    policy = release_bucket("slipway", accounts, tenants[:2], SHARED)
    assert policy is not None
    for number, (tenant, account) in enumerate(zip(tenants, accounts, strict=True)):
        for place in tenants:
            key = f"{folder}/{place.namespace}/x"
            may = place == tenant and number < 2
            assert opens(policy, account, "s3:PutObject", f"slipway/{key}") == may
        assert not opens(policy, account, "s3:GetObject", f"slipway/{tenant.claim}")
        assert opens(policy, account, "s3:GetObject", "slipway/shared/x")
        assert not opens(policy, account, "s3:PutObject", "slipway/shared/x")


@given(TENANTS, MOMENTS)
def test_a_policy_of_an_own_bucket_lets_nobody_administer_it(
    tenant: Tenant, made: datetime
) -> None:
    text = json.dumps(own_bucket(tenant, [tenant.account(made)]))
    assert "Policy" not in text
    assert "Acl" not in text
    assert "s3:*" not in text


@given(LABELS, LABELS)
def test_a_session_opens_its_own_namespace_in_the_stores_prefix(name: str, other: str) -> None:
    policy = session(
        Folder("bucket", "team/slipway/"), name, [Folder("bucket", "team/slipway/shared/")]
    )
    for folder in FOLDERS:
        key = f"bucket/team/slipway/{folder}/{other}/x"
        assert opens(policy, None, "s3:GetObject", key) == (name == other)
    assert opens(policy, None, "s3:GetObject", "bucket/team/slipway/shared/x")
    assert not opens(policy, None, "s3:PutObject", "bucket/team/slipway/shared/x")
    assert not opens(policy, None, "s3:GetObject", f"bucket/outputs/{name}/x")
    assert len(json.dumps(policy, separators=(",", ":"))) <= 2048


def opens(
    policy: dict[str, object], account: AccountName | None, action: str, resource: str
) -> bool:
    """Tell whether a statement without a condition allows an action, as S3 reads policies."""
    statements = policy["Statement"]
    assert isinstance(statements, list)
    return any(
        (account is None or str(account) in statement["Principal"]["AWS"])
        and action in statement["Action"]
        and any(
            fnmatch.fnmatchcase(f"arn:aws:s3:::{resource}", pattern)
            for pattern in statement["Resource"]
        )
        for statement in statements
        if "Condition" not in statement
    )


@pytest.mark.parametrize("moment", ["ffffffffff", "3afff44180", "1", "6553f10", "-6553f100"])
def test_a_name_without_a_moment_that_a_calendar_has_is_no_accounts(moment: str) -> None:
    assert AccountName.parse(f"team.0123456789ab.{moment}") is None


@given(st.integers(0x6553F100, 0xFFFFFFFFF))
def test_every_name_that_is_read_has_a_moment(made: int) -> None:
    name = AccountName.parse(f"team.0123456789ab.{made:08x}")
    assert name is not None
    assert name.made_at.timestamp() == made
