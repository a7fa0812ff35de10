"""What list_stream_consumers and list_stream_publishers show: who reads and writes streams by the stream protocol.

Clients of other protocols that read a stream are in list_consumers alone, as in RabbitMQ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.stream.listing import StreamChannelRow
from warren.adapters.stream.properties import wants_to_be_single
from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind
from warren.core.clients.transport import peer_of

if TYPE_CHECKING:
    from warren.adapters.stream.publishers import Publisher
    from warren.adapters.stream.session import StreamSession
    from warren.adapters.stream.subscription import StreamSubscription
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.queues.stream.queue import StreamQueue


class StreamClientRow(Row):
    """A publisher or a consumer of a connection."""

    __slots__ = ("_client", "_queue")

    def __init__(self, client: Client, queue: StreamQueue) -> None:
        self._client = client
        self._queue = queue

    @Column
    def connection_pid(self) -> str:
        """RabbitMQ's process; here the connection's name."""
        return self._client.name

    @Column
    def connection_details(self) -> Mapping[str, object]:
        """The connection, as the management API shows it."""
        return {"name": self._client.name, "user": self._client.user.name, **peer_of(self._client.name)}

    @Column
    def user(self) -> str:
        """Who is logged in."""
        return self._client.user.name

    @Column
    def vhost(self) -> str:
        """The virtual host of the stream."""
        return self._queue.vhost.name

    @Column
    def stream(self) -> str:
        """The stream."""
        return self._queue.name

    @Column
    def queue(self) -> Mapping[str, object]:
        """The same, as the management API shows it."""
        return {"name": self._queue.name, "vhost": self._queue.vhost.name}


class StreamConsumerRow(StreamClientRow):
    """One subscription."""

    __slots__ = ("_subscription",)

    def __init__(self, subscription: StreamSubscription) -> None:
        super().__init__(subscription.client, subscription.stream)
        self._subscription = subscription

    @property
    def exists(self) -> bool:
        """False once it is cancelled."""
        return self._subscription.active

    @Column
    def subscription_id(self) -> int:
        """Its number on the connection."""
        return self._subscription.id

    @Column
    def messages_consumed(self) -> int:
        """Messages that were in the chunks it was sent."""
        return self._subscription.consumed

    @Column
    def offset(self) -> int:
        """That of the last message it was sent; 0 before there was one."""
        return self._subscription.offset or 0

    @Column
    def offset_lag(self) -> int:
        """How many messages of the stream come behind that; 0 before it was sent anything."""
        sent = self._subscription.offset
        return 0 if sent is None else max(self._subscription.stream.log.end_offset - 1 - sent, 0)

    @Column
    def credits(self) -> int:
        """Chunks that it still takes."""
        return self._subscription.credit

    @Column
    def active(self) -> bool:
        """Whether it is sent chunks; False for one behind a single active consumer."""
        return self._subscription.is_consuming

    @Column
    def activity_status(self) -> str:
        """The same in RabbitMQ's words: up, or single_active and waiting where there is one at a time."""
        if not wants_to_be_single(self._subscription.properties):
            return "up"
        return "single_active" if self.active else "waiting"

    @Column
    def properties(self) -> Mapping[str, str]:
        """What it was made with."""
        return dict(self._subscription.properties)


class StreamPublisherRow(StreamClientRow):
    """One publisher."""

    __slots__ = ("_publisher",)

    def __init__(self, client: Client, publisher: Publisher) -> None:
        super().__init__(client, publisher.queue)
        self._publisher = publisher

    @property
    def exists(self) -> bool:
        """False once it is deleted."""
        return not self._publisher.ended

    @Column
    def publisher_id(self) -> int:
        """Its number on the connection."""
        return self._publisher.id

    @Column
    def reference(self) -> str:
        """By which its publishing ids are known again; empty for none."""
        return self._publisher.reference.decode("utf-8", "replace")

    @Column
    def messages_published(self) -> int:
        """Entries that came, each with a publishing id; those that weren't taken count, too."""
        return self._publisher.published

    @Column
    def messages_confirmed(self) -> int:
        """Those that the client was told are safe."""
        return self._publisher.confirmed

    @Column
    def messages_errored(self) -> int:
        """Those that it was told aren't taken."""
        return self._publisher.errored


def _sessions(broker: Broker, vhosts: Vhosts) -> Iterator[tuple[StreamSession, Client]]:
    for entry in list(broker.sessions):
        for row in entry.channel_rows():
            if isinstance(row, StreamChannelRow) and (vhosts is None or row.vhost in vhosts):
                yield row.session, row.client


def _consumers(broker: Broker, vhosts: Vhosts) -> Iterator[StreamConsumerRow]:
    for session, _ in _sessions(broker, vhosts):
        yield from map(StreamConsumerRow, session.subscriptions.all())


def _publishers(broker: Broker, vhosts: Vhosts) -> Iterator[StreamPublisherRow]:
    for session, client in _sessions(broker, vhosts):
        for publisher in session.publishers.all():
            yield StreamPublisherRow(client, publisher)


def _count_by(of: Callable[[StreamSession], int]) -> Callable[[Broker, Vhosts], int]:
    return lambda broker, vhosts: sum(of(session) for session, _ in _sessions(broker, vhosts))


STREAM_CONSUMERS: Final = Kind(
    "stream_consumers",
    StreamConsumerRow,
    _consumers,
    _count_by(lambda session: len(session.subscriptions)),
    shown=(
        "subscription_id",
        "stream",
        "messages_consumed",
        "offset",
        "offset_lag",
        "credits",
        "active",
        "activity_status",
        "properties",
    ),
    unknown=("node",),
)
"""What list_stream_consumers shows."""

STREAM_PUBLISHERS: Final = Kind(
    "stream_publishers",
    StreamPublisherRow,
    _publishers,
    _count_by(lambda session: len(session.publishers)),
    shown=(
        "publisher_id",
        "stream",
        "reference",
        "messages_published",
        "messages_confirmed",
        "messages_errored",
    ),
    unknown=("node",),
)
"""What list_stream_publishers shows."""
