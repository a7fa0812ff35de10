"""Single active consumers of streams: who is active in a group, and who is told."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warren.core.errors import NotFound, PreconditionFailed
from warren.core.streams.groups import NO_PARTITION, Member, State, StreamGroups


class Consumers:
    """Consumers of group g on stream s, by their numbers; said: who was told what, in order."""

    def __init__(self, partition: int = NO_PARTITION) -> None:
        self.groups = StreamGroups()
        self.partition = partition
        self.said: list[tuple[int, bool]] = []
        self.members: dict[int, Member] = {}

    def join(self, number: int) -> None:
        self.members[number] = self.groups.join(
            "/",
            "s",
            "g",
            self.partition,
            connection=f"c{number}",
            subscription_id=number,
            told=lambda is_active: self.said.append((number, is_active)),
        )

    def leave(self, number: int) -> None:
        self.groups.leave(self.members.pop(number))

    @property
    def active(self) -> list[int]:
        return [number for number, member in self.members.items() if member.is_active]


def test_the_first_is_active_until_it_goes() -> None:
    consumers = Consumers()
    for number in (1, 2, 3):
        consumers.join(number)
    assert consumers.active == [1]
    consumers.leave(2)
    assert consumers.said == []
    consumers.leave(1)
    assert consumers.active == [3]
    assert consumers.said == [(3, True)]
    consumers.leave(3)
    assert not consumers.groups


def test_partitions_are_shared_evenly() -> None:
    """Four partitions, two consumers: two each (spec I)."""
    partitions = [Consumers(index) for index in range(4)]
    for number in (1, 2):
        for each in partitions:
            each.join(number)
    for each in partitions:
        for number, is_active in list(each.said):
            assert not is_active
            each.groups.stepped_down(each.members[number])
    assert [each.active for each in partitions] == [[1], [2], [1], [2]]
    assert [each.said for each in partitions] == [[], [(1, False), (2, True)], [], [(1, False), (2, True)]]


def test_nobody_is_active_until_the_other_has_stepped_down() -> None:
    consumers = Consumers(1)
    consumers.join(1)
    consumers.join(2)
    assert consumers.active == []
    assert consumers.members[1].state is State.DEACTIVATING
    consumers.join(3)
    assert consumers.said == [(1, False)]
    consumers.groups.stepped_down(consumers.members[2])
    assert consumers.active == []
    consumers.groups.stepped_down(consumers.members[1])
    assert consumers.active == [2]


def test_who_goes_while_it_steps_down_makes_room() -> None:
    consumers = Consumers(1)
    for number in (1, 2, 3):
        consumers.join(number)
    consumers.leave(1)
    assert consumers.active == [3]
    assert consumers.said == [(1, False), (3, True)]


def test_it_comes_back_when_the_other_went_before_it_had_stepped_down() -> None:
    consumers = Consumers(1)
    consumers.join(1)
    consumers.join(2)
    consumers.leave(2)
    consumers.groups.stepped_down(consumers.members[1])
    assert consumers.active == [1]
    assert consumers.said == [(1, False), (1, True)]


def test_an_operator_may_have_it_decided_again() -> None:
    consumers = Consumers(1)
    consumers.join(1)
    consumers.join(2)
    consumers.groups.find("/", "s", "g").activate()
    assert consumers.active == [2]
    consumers.groups.find("/", "s", "g").activate()
    assert consumers.said == [(1, False), (2, True)]


def test_groups_are_by_virtual_host_stream_and_name() -> None:
    groups = StreamGroups()
    members = [
        groups.join(*where, NO_PARTITION, connection="c", subscription_id=0, told=lambda _: None)
        for where in (("/", "s", "g"), ("/", "s", "h"), ("/", "t", "g"), ("v", "s", "g"))
    ]
    assert [member.is_active for member in members] == [True] * 4
    assert len(groups) == len(list(groups)) == 4
    with pytest.raises(NotFound):
        groups.find("v", "t", "g")


def test_a_group_has_one_partition() -> None:
    consumers = Consumers(1)
    consumers.join(1)
    consumers.partition = NO_PARTITION
    with pytest.raises(PreconditionFailed, match="partition 1"):
        consumers.join(2)
    assert len(consumers.groups.find("/", "s", "g").members) == 1


class GroupRules(RuleBasedStateMachine):
    """Consumers come, go, and step down when they get round to it."""

    def __init__(self) -> None:
        super().__init__()
        self.consumers = Consumers()
        self.count = 0

    @rule(partition=st.integers(-1, 5))
    def begin_anew(self, partition: int) -> None:
        if not self.consumers.members:
            self.consumers = Consumers(partition)

    @rule()
    def join(self) -> None:
        self.count += 1
        self.consumers.join(self.count)
        if self.consumers.members[self.count].is_active:
            self.consumers.said.append((self.count, True))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.consumers.members:
            self.consumers.leave(data.draw(st.sampled_from(sorted(self.consumers.members))))

    @rule()
    def step_down(self) -> None:
        for member in list(self.consumers.members.values()):
            self.consumers.groups.stepped_down(member)

    @invariant()
    def one_is_active(self) -> None:
        members = list(self.consumers.members.values())
        states = [member.state for member in members]
        busy = states.count(State.ACTIVE) + states.count(State.DEACTIVATING)
        assert busy == (1 if members else 0)
        last = dict(self.consumers.said)
        for number, member in self.consumers.members.items():
            assert last.get(number, False) == member.is_active
        if members and State.ACTIVE in states and self.consumers.partition < 0:
            assert members[0].is_active
        if members and self.consumers.partition >= 0 and State.ACTIVE in states:
            assert members[self.consumers.partition % len(members)].is_active


TestGroupRules = GroupRules.TestCase
