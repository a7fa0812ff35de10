"""Groups of consumers of which one is active at a time: the single active consumers of the stream protocol (spec H.2).

A group is a stream and a name.  Of a stream that stands by itself the member that came first is active, until it goes.
 Of a partition of a super stream it is the one whose place in the order of coming is the partition's, counted around,
 so that consumers
of the same name on all partitions share them evenly; there the active one may change while it is there.  It is asked to
step down then, and the next one is active only when it has said that it has, so that two never are.

The rules are RabbitMQ's, of a broker that is one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from warren.core.errors import NotFound, PreconditionFailed

NO_PARTITION: Final = -1
"""The index of a stream that is no partition, or of one of which nobody knows which it is."""


class State(Enum):
    """What a member is; the values are RabbitMQ's words."""

    ACTIVE = "active"
    WAITING = "waiting"
    DEACTIVATING = "deactivating"


class Member:
    """One consumer in a group.

    connection, subscription_id: whose it is, by name and number.  told: called when it becomes active, with True, and
    when it is to step down, with False; it raises nothing.
    """

    __slots__ = ("connection", "group", "state", "subscription_id", "told")

    def __init__(self, group: Group, connection: str, subscription_id: int, told: Callable[[bool], None]) -> None:
        self.group = group
        self.connection = connection
        self.subscription_id = subscription_id
        self.told = told
        self.state = State.WAITING

    @property
    def is_active(self) -> bool:
        """It may be sent messages."""
        return self.state is State.ACTIVE


class Group:
    """The members of one group, in the order of coming."""

    __slots__ = ("members", "name", "partition", "stream", "vhost")

    def __init__(self, vhost: str, stream: str, name: str, partition: int) -> None:
        self.vhost = vhost
        self.stream = stream
        self.name = name
        self.partition = partition
        self.members: list[Member] = []

    @property
    def active(self) -> Member | None:
        """The one that is; None while one steps down, or where there is nobody."""
        return next((each for each in self.members if each.is_active), None)

    @property
    def _is_changing(self) -> bool:
        return any(each.state is State.DEACTIVATING for each in self.members)

    def _chosen(self) -> Member:
        """Who is to be active."""
        return self.members[self.partition % len(self.members) if self.partition >= 0 else 0]

    def joined(self, member: Member) -> None:
        """One more; it isn't told that it is active, whoever has it join looks."""
        self.members.append(member)
        if len(self.members) == 1:
            member.state = State.ACTIVE
        else:
            self._balance(member)

    def left(self, member: Member) -> None:
        """One less, whatever it was."""
        self.members.remove(member)
        if self.members:
            self._balance()

    def activate(self) -> None:
        """Who is to be active becomes so, whoever was."""
        if not self.members:
            return
        before = self.active
        chosen = self._chosen()
        for each in self.members:
            each.state = State.WAITING
        chosen.state = State.ACTIVE
        if chosen is not before:
            chosen.told(True)

    def _balance(self, joining: Member | None = None) -> None:
        """See to it that who is to be active is, or will be once another one has stepped down."""
        active = self.active
        if active is not None:
            if self.partition >= 0 and self._chosen() is not active:
                active.state = State.DEACTIVATING
                active.told(False)
        elif not self._is_changing:
            chosen = self._chosen()
            chosen.state = State.ACTIVE
            if chosen is not joining:
                chosen.told(True)


class StreamGroups:
    """Those of one broker."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def get(self, vhost: str, stream: str, name: str) -> Group | None:
        """The group of this name on a stream; None where nobody is in it."""
        return self._groups.get((vhost, stream, name))

    def find(self, vhost: str, stream: str, name: str) -> Group:
        """The group of this name on a stream.  Raises NotFound."""
        group = self.get(vhost, stream, name)
        if group is None:
            raise NotFound(f"no group '{name}' of consumers on stream '{stream}' in vhost '{vhost}'")
        return group

    def join(
        self,
        vhost: str,
        stream: str,
        name: str,
        partition: int,
        *,
        connection: str,
        subscription_id: int,
        told: Callable[[bool], None],
    ) -> Member:
        """A consumer comes to the group of this name; whether it is active is to be seen of the member.

        partition: which of a super stream's it is, or NO_PARTITION.  Raises PreconditionFailed where others of the
        group say another one.
        """
        key = (vhost, stream, name)
        group = self._groups.get(key)
        if group is None:
            group = Group(vhost, stream, name, partition)
        elif group.partition != partition:
            raise PreconditionFailed(
                f"the consumers of group '{name}' on stream '{stream}' have it as partition {group.partition}, not "
                f"{partition}: all of them name the same super stream, or none"
            )
        self._groups[key] = group
        member = Member(group, connection, subscription_id, told)
        group.joined(member)
        return member

    def leave(self, member: Member) -> None:
        """It consumes no more."""
        group = member.group
        group.left(member)
        if not group.members:
            del self._groups[group.vhost, group.stream, group.name]

    def stepped_down(self, member: Member) -> None:
        """It was told to, and has."""
        if member.state is State.DEACTIVATING:
            member.group.activate()
