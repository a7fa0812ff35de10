"""What list_mqtt_sessions shows of sessions, whether their clients are connected or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.session import EXPIRY_NEVER
from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.broker import Broker


class MqttSessionRow(Row):
    """One session."""

    __slots__ = ("session",)

    def __init__(self, session: MqttSession) -> None:
        self.session = session

    @property
    def exists(self) -> bool:
        """See Row.exists."""
        return not self.session.ended

    @Column
    def client_id(self) -> str:
        """The client identifier."""
        return self.session.client_id

    @Column
    def name(self) -> str:
        """The same, for who looks for names."""
        return self.session.client_id

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.session.registry.vhost.name

    @Column
    def user(self) -> str:
        """Whose it is; empty for one that was stored before sessions had owners."""
        return self.session.user

    @Column
    def connected(self) -> bool:
        """Whether its client is connected."""
        return self.session.holder is not None

    @Column
    def connection(self) -> str | None:
        """The name of the client's connection; None while it is away."""
        holder = self.session.holder
        return None if holder is None else holder.name

    @Column
    def persistent(self) -> bool:
        """Whether it outlives its connection, and restarts."""
        return self.session.stored

    @Column
    def expiry_interval(self) -> int | None:
        """For how many seconds it outlives its connection; None for ever."""
        return None if self.session.expiry_s == EXPIRY_NEVER else self.session.expiry_s

    @Column
    def disconnected_at(self) -> int | None:
        """Since when its client is away, in milliseconds since 1970; None while it is connected."""
        return self.session.detached_at_ms if self.session.holder is None else None

    @Column
    def expires_at(self) -> int | None:
        """When it ends unless its client comes back, in milliseconds since 1970; None for never, or not yet known."""
        session = self.session
        if session.holder is not None or session.detached_at_ms is None or session.expiry_s == EXPIRY_NEVER:
            return None
        return session.detached_at_ms + session.expiry_s * 1000

    @Column
    def subscriptions(self) -> int:
        """How many there are."""
        return len(self.session.subscriptions)

    @Column
    def queue(self) -> str | None:
        """The name of its own queue; None before the first subscription."""
        return None if self.session.queue is None else self.session.queue.name

    @Column
    def messages_ready(self) -> int:
        """Messages that wait in its own queue."""
        return 0 if self.session.queue is None else self.session.queue.ready_count

    @Column
    def messages_unacknowledged(self) -> int:
        """Messages of QoS 1 and 2 that its client hasn't acknowledged."""
        return self.session.outgoing_count

    @Column
    def messages_unreleased(self) -> int:
        """Messages of QoS 2 that came from its client, which hasn't released them."""
        return len(self.session.inbound)

    @Column
    def has_will(self) -> bool:
        """Whether a will waits for the end of its delay."""
        return self.session.registry.wills.has(self.session.client_id)


def _registries(broker: Broker, vhosts: Vhosts) -> Iterator[MqttSessions]:
    world = world_of(broker)
    for vhost in vhosts_among(broker, vhosts):
        yield world.of(vhost)


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[MqttSessionRow]:
    for registry in _registries(broker, vhosts):
        yield from map(MqttSessionRow, list(registry.sessions.values()))


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(registry.sessions) for registry in _registries(broker, vhosts))


MQTT_SESSIONS: Final = Kind(
    "mqtt_sessions",
    MqttSessionRow,
    _rows,
    _count,
    shown=("client_id", "user", "connected", "subscriptions", "messages_ready", "expires_at"),
)
"""What list_mqtt_sessions shows."""
