"""Groups of single active consumers of streams, as list_stream_consumer_groups shows them (core/streams/groups.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, named
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.streams.groups import Group


class StreamGroupRow(Row):
    """One of them."""

    __slots__ = ("_group",)

    def __init__(self, group: Group) -> None:
        self._group = group

    @property
    def exists(self) -> bool:
        """False once nobody is in it."""
        return bool(self._group.members)

    @Column
    def vhost(self) -> str:
        """The virtual host of the stream."""
        return self._group.vhost

    @Column
    def stream(self) -> str:
        """The stream."""
        return self._group.stream

    @Column
    def reference(self) -> str:
        """The name of the group, which its consumers have in common."""
        return self._group.name

    @Column
    def partition_index(self) -> int:
        """Which partition of a super stream it is; -1 for none."""
        return self._group.partition

    @Column
    def consumers(self) -> int:
        """How many are in it."""
        return len(self._group.members)

    @named("members")
    def member_rows(self) -> list[dict[str, object]]:
        """Who is in it, in the order of coming."""
        return [
            {
                "subscription_id": each.subscription_id,
                "connection_name": each.connection,
                "state": each.state.value,
            }
            for each in self._group.members
        ]


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[StreamGroupRow]:
    for group in broker.stream_groups:
        if vhosts is None or group.vhost in vhosts:
            yield StreamGroupRow(group)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(vhosts is None or group.vhost in vhosts for group in broker.stream_groups)


STREAM_GROUPS = Kind(
    "stream_consumer_groups",
    StreamGroupRow,
    _rows,
    _count,
    shown=("stream", "reference", "partition_index", "consumers"),
)
