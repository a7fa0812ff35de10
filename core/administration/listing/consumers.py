"""Consumers, as list_consumers shows them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.clients.transport import peer_of

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.consumer import Consumer


class ConsumerRow(Row):
    """One consumer."""

    __slots__ = ("consumer",)

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer

    @property
    def exists(self) -> bool:
        """False once it is cancelled."""
        return self.consumer.active

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.consumer.queue.vhost.name

    @Column
    def queue_name(self) -> str:
        """The queue it takes messages from."""
        return self.consumer.queue.name

    @Column
    def queue(self) -> Mapping[str, object]:
        """The same, as the management API shows it."""
        return {"name": self.consumer.queue.name, "vhost": self.consumer.queue.vhost.name}

    @Column
    def channel_pid(self) -> str:
        """The channel or session it belongs to."""
        return self.consumer.session_name()

    @Column
    def channel_details(self) -> Mapping[str, object]:
        """The same, as the management API shows it."""
        client = self.consumer.client
        return {
            "name": self.consumer.session_name(),
            "number": self.consumer.channel_number,
            "connection_name": client.name,
            "user": client.user.name,
            **peer_of(client.name),
        }

    @Column
    def consumer_tag(self) -> str:
        """Its name in the session."""
        return self.consumer.tag

    @Column
    def ack_required(self) -> bool:
        """Whether its deliveries have to be acknowledged."""
        return not self.consumer.no_ack

    @Column
    def exclusive(self) -> bool:
        """Whether nobody else may consume from the queue."""
        return self.consumer.exclusive

    @Column
    def prefetch_count(self) -> int:
        """The most unacknowledged messages it gets, 0 for no limit."""
        return self.consumer.prefetch

    @Column
    def active(self) -> bool:
        """Whether the queue gives it messages; False for one behind a single active consumer."""
        return self.consumer.queue.is_active(self.consumer)

    @Column
    def activity_status(self) -> str:
        """The same in RabbitMQ's words: up, or single_active and waiting where there is one at a time."""
        if not self.active:
            return "waiting"
        queue = self.consumer.queue
        single = queue.columns.get("single_active_consumer_tag")
        return "up" if single is None or single(queue) is None else "single_active"

    @Column
    def arguments(self) -> Mapping[str, object]:
        """What it was made with."""
        return dict(self.consumer.arguments)


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[ConsumerRow]:
    for vhost in vhosts_among(broker, vhosts):
        for queue in list(vhost.queues.values()):
            yield from map(ConsumerRow, list(queue.consumers))


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(queue.consumers) for vhost in vhosts_among(broker, vhosts) for queue in vhost.queues.values())


CONSUMERS = Kind(
    "consumers",
    ConsumerRow,
    _rows,
    _count,
    shown=(
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "activity_status",
        "arguments",
    ),
)
