"""What a connection's publishes have led to, so that those that are alike are neither parsed nor checked again.

Two memories, since a client's frames are alike in two ways.  `KnownRoutes` knows method frames: exchange, routing key,
flags, channel, and that the client may publish there.  `rows` knows whole beginnings, from the method frame to where
the body begins: the same, and properties and the size of the body, too.  Its keys say all that there is to know but the
body itself, so that a publish that is found there is only cut out of what was read.

Rows are made of publishes that come after one of the same properties and size, as clients send them.  Both memories are
void when `KnownRoutes` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL
from warren.core.routing.known_routes import KnownRoute, KnownRoutes

if TYPE_CHECKING:
    from warren.adapters.amqp091.late_rows import LateRows
    from warren.core.clients.confirms import Confirms
    from warren.core.counters import SessionCounts
    from warren.core.messages.properties import Properties
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

KNOWN_PUBLISHES_MAX: Final = 4096
"""Remembered publishes per connection, and rows; one that varies its routing keys endlessly starts over."""


class KnownPublish(KnownRoute):
    """What a basic.publish method frame led to.  confirms: of its channel, if that is in confirm mode.

    late: who publishes instead, as queues among them answer later (late_rows.py); None where none does.
    """

    __slots__ = ("confirms", "late")

    def __init__(
        self, route: Route, counts: SessionCounts, confirms: Confirms | None, late: LateRows | None = None
    ) -> None:
        super().__init__(route, counts)
        self.confirms = confirms
        self.late = late


class KnownRow:
    """Publishes that differ in their bodies alone.

    beginning: their bytes up to the body.  size: of all of it, with the end octet.  header_at: where the content header
    begins; body_at: where the body does, counted from there.  framed_for: see Message.  store_ids: what a message is
    stored under, empty for one that isn't persistent.  follower: the row that came behind it last, if that is counted
    as this one is.
    """

    __slots__ = (
        "beginning",
        "body_at",
        "body_size",
        "follower",
        "framed_for",
        "header_at",
        "properties",
        "publish",
        "size",
        "store_ids",
    )

    def __init__(
        self,
        publish: KnownPublish,
        properties: Properties,
        beginning: bytes,
        header_at: int,
        body_size: int,
        number: int,
    ) -> None:
        self.publish = publish
        self.properties = properties
        self.beginning = beginning
        self.header_at = header_at
        self.body_at = len(beginning) - header_at
        self.body_size = body_size
        # An empty body has no frame, and the end octet before it is part of the beginning.
        self.size = len(beginning) + body_size + (1 if body_size else 0)
        self.framed_for = FRAMED_FOR_CHANNEL + number
        self.follower: KnownRow | None = None
        self.store_ids: tuple[int, ...] = publish.store_ids if properties.persistent else ()

    def followed_by(self, row: KnownRow) -> None:
        """`row` has come behind it."""
        if self.body_size == row.body_size and row.publish.counts_as(self.publish):
            self.follower = row


class KnownPublishes(KnownRoutes[KnownPublish]):
    """Of one connection.  rows: by their beginnings.  content_bytes: from the content header to the body, in the latest
    row that was made; the next ones will be found by that."""

    __slots__ = ("content_bytes", "rows")

    def __init__(self, vhost: VirtualHost) -> None:
        self.rows: dict[bytes, KnownRow] = {}
        self.content_bytes = 0
        super().__init__(vhost, KNOWN_PUBLISHES_MAX, vhost.broker.spare_routes)

    def add_row(self, row: KnownRow) -> None:
        """Remember publishes that go the way of a known one."""
        if len(self.rows) >= self.entries_max:
            self._forget_rows()
        self.rows[row.beginning] = row
        self.content_bytes = row.body_at

    def forget(self) -> None:
        super().forget()
        self._forget_rows()

    def _forget_rows(self) -> None:
        for row in self.rows.values():
            row.follower = None  # they go round, and nobody is to wait for the collector
        self.rows.clear()
