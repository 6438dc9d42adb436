"""A new release of the operator changes every deployment's pods: few at a time get new ones."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.kube.watched.indexes import Turns as Index
from slipway.plan import ObjectRef, Plan
from slipway.serving.planner import plan
from slipway.serving.snapshot import ServingSnapshot, Turns
from slipway.settings import Settings
from tests.unit.serving.world import SETTINGS, URI_MODEL, World

NEXT = SETTINGS.model_copy(update={"server_image": "registry.example/slipway-server:9.9.9"})


class Fleet:
    """Several deployments of one cluster that are served, and the operator's settings."""

    def __init__(self, count: int, most: int = 2) -> None:
        self.settings = SETTINGS.model_copy(update={"max_concurrent_server_updates": most})
        self.members = [Member(self, number) for number in range(count)]
        for member in self.members:
            member.roll_out()

    def upgrade(self) -> None:
        """Start the operator's next release."""
        update = {"server_image": NEXT.server_image}
        self.settings = self.settings.model_copy(update=update)

    def turns(self, of: "Member") -> Turns:
        index = Index()
        for member in self.members:
            index.add(member.ref, {"status": member.status})
        return Turns(*index.before(of.ref))

    def under_way(self) -> int:
        return sum(bool(member.rollout.get("candidate")) for member in self.members)

    def current(self) -> int:
        """Count the deployments whose live template has the present image."""
        return sum(self.settings.server_image in str(one.workload) for one in self.members)


class Member(World):
    def __init__(self, fleet: Fleet, number: int) -> None:
        super().__init__(URI_MODEL)
        self.fleet = fleet
        name = f"web-{number:02d}"
        self.ref = ObjectRef("slipway.dev/v1alpha1", "ModelDeployment", "demo", name)

    @property
    def rollout(self) -> dict[str, object]:
        found: dict[str, object] = self.status.get("rollout") or {}
        return found

    def snapshot(self) -> ServingSnapshot:
        turns = self.fleet.turns(self) if hasattr(self.fleet, "members") else Turns()
        return replace(super().snapshot(), turns=turns)

    def plan(self) -> Plan:
        return plan(self.snapshot(), self.fleet.settings, self.now)

    def said_of_release(self) -> str | None:
        """Return the reason of the condition FollowsRelease."""
        found = {one["type"]: one["reason"] for one in self.status["conditions"]}
        return found.get("FollowsRelease")


def test_after_an_upgrade_all_tell_that_they_wait_and_keep_their_pods() -> None:
    fleet = Fleet(3)
    before = [member.revision for member in fleet.members]
    fleet.upgrade()
    for member in fleet.members:
        made = member.reconcile()
        assert NEXT.server_image not in str(made.apply)
    assert [member.revision for member in fleet.members] == before
    assert {member.said_of_release() for member in fleet.members} == {"WaitingForTurn"}
    ready = [
        one["status"] for one in fleet.members[0].status["conditions"] if one["type"] == "Ready"
    ]
    assert ready == ["True"]


def test_the_first_ones_by_name_go_on_and_the_next_when_they_are_done() -> None:
    fleet = Fleet(3, most=1)
    fleet.upgrade()
    for _ in range(2):
        for member in reversed(fleet.members):
            member.reconcile()
    assert [one.said_of_release() for one in fleet.members] == [
        "Following",
        *["WaitingForTurn"] * 2,
    ]
    fleet.members[0].roll_out()
    assert fleet.members[0].said_of_release() is None
    fleet.members[2].reconcile()
    fleet.members[1].reconcile()
    assert [one.said_of_release() for one in fleet.members] == [None, "Following", "WaitingForTurn"]


def test_a_change_of_the_spec_does_not_wait() -> None:
    fleet = Fleet(2, most=1)
    fleet.upgrade()
    second = fleet.members[1]
    for member in fleet.members:
        member.reconcile()
    second.change(server={"workers": 2})
    second.reconcile()
    assert second.said_of_release() is None
    assert NEXT.server_image in str(second.workload)


def test_another_model_does_not_wait() -> None:
    fleet = Fleet(1, most=1)
    (member,) = fleet.members
    fleet.upgrade()
    member.reconcile()
    assert member.said_of_release() == "WaitingForTurn"
    member.spec = {**member.spec, "model": {**URI_MODEL, "sha256": "c" * 64}}
    member.reconcile()
    assert NEXT.server_image in str(member.workload)


def test_an_image_of_its_own_keeps_a_deployment_as_it_is() -> None:
    fleet = Fleet(0)
    member = Member(fleet, 0)
    member.change(server={"image": "registry.example/mine:1"})
    fleet.members.append(member)
    member.roll_out()
    revision = member.revision
    fleet.upgrade()
    member.roll_out()
    assert (member.revision, member.said_of_release()) == (revision, "Pinned")
    member.change(replicas=2)
    member.roll_out()
    assert member.said_of_release() is None
    assert NEXT.server_image in str(member.workload)


@pytest.mark.parametrize("paused", [True, False])
def test_one_that_is_stuck_lets_the_next_one_go_on(paused: bool) -> None:
    fleet = Fleet(2, most=1)
    fleet.upgrade()
    first, second = fleet.members
    for _ in range(2):
        first.reconcile()
        second.reconcile()
    assert (first.said_of_release(), second.said_of_release()) == ("Following", "WaitingForTurn")
    if paused:
        first.change(rollout={"paused": True})
    else:
        stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        first.pods_are(1, 0, old=1, conditions=(stuck,))
    for _ in range(2):
        first.reconcile()
        second.reconcile()
    assert (first.said_of_release(), second.said_of_release()) == (None, "Following")


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_never_more_are_under_way_than_may_be_and_all_come_to_it(
    count: int, most: int, acts: list[tuple[int, bool]]
) -> None:
    fleet = Fleet(count, most)
    fleet.upgrade()
    for choice, up in acts:
        member = fleet.members[choice % count]
        member.reconcile()
        if up:
            member.pods_are(1, 1)
        assert fleet.under_way() <= most
    for _ in range(4 * count):
        for member in fleet.members:
            member.reconcile()
            member.pods_are(1, 1)
            assert fleet.under_way() <= most
    assert fleet.current() == count
    assert {member.said_of_release() for member in fleet.members} == {None}


def test_a_setting_says_how_many() -> None:
    assert Settings(max_concurrent_server_updates=7).max_concurrent_server_updates == 7
