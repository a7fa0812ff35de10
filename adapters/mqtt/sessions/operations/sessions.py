"""Operations on MQTT sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.adapters.mqtt.sessions.place import world_of
from warren.core.administration.operations import vhosts
from warren.core.errors import NotFound

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.broker import Broker

ENDED: Final = "the session was ended by an administrator"


class Subscribed(NamedTuple):
    """One subscription.  group: of a shared one, else empty.  queue: where its messages come from; None for a named
    queue that is gone.  identifier: 0 for none."""

    topic_filter: str
    qos: int
    group: str
    no_local: bool
    retain_as_published: bool
    identifier: int
    queue: str | None
    binding_key: str


def existing(broker: Broker, vhost: str, client_id: str) -> MqttSession:
    """The session of a client identifier; NotFound when there is none, or no such virtual host."""
    session = world_of(broker).of(vhosts.existing(broker, vhost)).sessions.get(client_id)
    if session is None:
        raise NotFound(f"no MQTT session of the client '{client_id}' in vhost '{vhost}'")
    return session


def end(broker: Broker, vhost: str, client_id: str) -> None:
    """End a session, with all that waits in it; its client is disconnected, and a will published.  Raises NotFound."""
    session = existing(broker, vhost, client_id)
    registry = session.registry
    if session.holder is not None:
        session.holder.force_close(ENDED)
    if registry.sessions.get(client_id) is session:
        registry.wills.session_ended(client_id)
    session.end()


def subscriptions(session: MqttSession) -> Iterator[Subscribed]:
    """What a session is subscribed to, in the order of subscribing; others may come and go meanwhile."""
    for each in list(session.subscriptions.values()):
        yield _described(session, each)


def _described(session: MqttSession, each: MqttSubscription) -> Subscribed:
    registry = session.registry
    queue = registry.queue_of(session, each)
    binding_key = "" if each.queue_name else registry.world.names.binding_key_of(each.topic_filter)
    return Subscribed(
        each.filter,
        each.qos,
        each.group,
        each.no_local,
        each.retain_as_published,
        each.identifier,
        None if queue is None else queue.name,
        binding_key,
    )
