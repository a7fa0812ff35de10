"""The MQTT sessions of a virtual host, by client identifier; how they share queues, and how they come back.

Its retained messages and wills are here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.sessions import feeding, publishing, rights
from warren.adapters.mqtt.sessions.doubt import ROW_FIELD, Doubt
from warren.adapters.mqtt.sessions.permits import SubscribePermits
from warren.adapters.mqtt.sessions.queue_names import session_queue_name, shared_queue_name
from warren.adapters.mqtt.sessions.retained import RetainedMessages
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.adapters.mqtt.sessions.subscription_rows import KIND as SUBSCRIPTIONS_KIND
from warren.adapters.mqtt.sessions.subscription_rows import parse_row, subscriptions_in
from warren.adapters.mqtt.sessions.system_topics import SystemTopics
from warren.adapters.mqtt.sessions.wills import WillMessage, Wills
from warren.core.access.answers import Unanswered
from warren.core.declaring.bindings import add_unstored_bindings, take_binding
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.errors import ResourceLocked
from warren.core.exchanges.binding import Binding, binding_key
from warren.core.messages.field_table import encode_table
from warren.core.queues.registry import register

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.holder import Holder
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.access.accounts import User
    from warren.core.clients.client import Client
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

register(MqttQueue, internal=True)

_log = logging.getLogger("warren.mqtt")

SESSION_KIND: Final = "mqtt_session"


_ARGUMENTS: Final = {"x-queue-type": MqttQueue.type_name}
_ARGUMENTS_RAW: Final = encode_table(_ARGUMENTS)


class MqttSessions:
    """The sessions of one virtual host.

    records: sessions by the store numbers of their own.  connected_count, connected_most: clients that are connected
    now, and that were at a time.  shared_count: of `subscription_count`, those to shared subscriptions.
    doubts: by client identifier, where messages under way may have been lost to damage (doubt.py).
    """

    def __init__(self, world: MqttWorld, vhost: VirtualHost) -> None:
        self.world = world
        self.broker = broker = world.broker
        self.vhost = vhost
        self.sessions: dict[str, MqttSession] = {}
        self.records: dict[int, MqttSession] = {}
        self.doubts: dict[str, Doubt] = {}
        limits = world.limits
        self.retained = RetainedMessages(broker, vhost.name, limits.retained_messages, limits.retained_bytes)
        self.retained.shared = world.shared_retained
        self.wills = Wills(broker, vhost.name, self.publish_will)
        self.system_topics = SystemTopics(self)
        self.permits = SubscribePermits(self)
        self.subscription_count = 0
        self.shared_count = 0
        self.connected_count = 0
        self.connected_most = 0
        self._shared: dict[tuple[str, str], tuple[Queue, int]] = {}
        self._interrupted: list[tuple[str, str, str]] = []

    # Sessions

    def open(self, client_id: str, *, user: User, clean_start: bool, expiry_s: int) -> tuple[MqttSession, bool]:
        """The session of a client that connects, and whether it was there.  Whoever held it is told first.

        Whether the user may have it was asked before (rights.check_owner).
        """
        session = self.sessions.get(client_id)
        if session is not None and session.holder is not None:
            session.holder.taken_over()
            session = self.sessions.get(client_id)
        if session is not None and (clean_start or not rights.goes_on(session, user.name)):
            session.end()
            session = None
        if session is not None:
            session.user, session.user_id, session.actor = user.name, user.id, user
            rights.drop_withdrawn(self, session)
            return session, True
        session = self.sessions[client_id] = MqttSession(self, client_id, expiry_s, user.name, user.id)
        session.actor = user
        return session, False

    def attach(
        self, holder: Holder, client_id: str, *, user: User, clean_start: bool, expiry_s: int
    ) -> tuple[MqttSession, bool]:
        """Give a client that connects its session, and say whether it was there.

        Whoever held it is told first, and a will that waits is published or cancelled, as its session ends or goes on
        (MQTT 5 3.1.3.2.2).
        """
        if clean_start:
            found = self.sessions.get(client_id)
            if found is not None and found.holder is not None:
                found.holder.taken_over()
            self.wills.session_ended(client_id)
        session, is_present = self.open(client_id, user=user, clean_start=clean_start, expiry_s=expiry_s)
        self.wills.cancel(client_id)
        session.attach(holder, expiry_s)
        return session, is_present

    def holders(self) -> list[Holder]:
        """The connections of all clients that are connected."""
        return [session.holder for session in self.sessions.values() if session.holder is not None]

    def attached(self) -> None:
        """One client more is connected."""
        self.connected_count += 1
        self.connected_most = max(self.connected_most, self.connected_count)
        self.world.connections_made += 1
        self.world.rates.watch()

    def detached(self) -> None:
        """One client less."""
        self.connected_count -= 1
        if not self.connected_count and not self.world.connected_count:
            self.world.rates.rest()

    def forget(self, session: MqttSession) -> None:
        """A session has ended: its queue and its row go, and so does its name unless it is another's already."""
        if session.queue is not None:
            remove_queue(self.vhost, session.queue)
            session.queue = None
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
            self.doubts.pop(session.client_id, None)
        for number in session.numbers:
            self.records.pop(number, None)
            if number:
                self.broker.numbers.deleted_for_now(number, session)
        if session.stored:
            self.broker.definitions.delete(SESSION_KIND, self.vhost.name, session.client_id)

    def make_queue(self, session: MqttSession, client: Client) -> Queue:
        """The queue of a session, made when it first subscribes; a client's own ends with its connection."""
        name = session_queue_name(session.client_id)
        existing = self.vhost.queues.get(name)
        if isinstance(existing, MqttQueue) and existing.owner is None:
            if existing.has_session:
                raise ResourceLocked(
                    f"queue '{name}' is the queue of another client identifier's session: one of both is the SHA-256 "
                    "of the other; use another client identifier"
                )
            remove_queue(self.vhost, existing)
            existing = None
        _check_free(existing, name)
        queue = create_queue(
            self.vhost,
            name,
            durable=session.stored,
            owner=None if session.stored else client,
            arguments=_ARGUMENTS,
            arguments_raw=_ARGUMENTS_RAW,
        )
        own = cast("MqttQueue", queue)
        own.has_session = True
        own.client_id = session.client_id
        return queue

    def bind(self, queue: Queue, subscriptions: Sequence[MqttSubscription]) -> None:
        """Let messages come to the queue whose topics match.

        The bindings have no rows of their own in the definitions: a restart makes them anew from the subscriptions'.
        """
        name, key_of = self.world.names.exchange, self.world.names.binding_key_of
        for each in subscriptions:
            if not each.binding_key:
                each.binding_key = key_of(each.topic_filter)
        bindings = [Binding(name, queue, each.binding_key) for each in subscriptions]
        add_unstored_bindings(self.vhost, self.vhost.exchange(name), queue, bindings)

    def unbind(self, queue: Queue, subscription: MqttSubscription) -> None:
        """The other way round."""
        exchange = self.vhost.exchanges.get(self.world.names.exchange)
        if exchange is None:
            return
        binding = exchange.get(binding_key("queue", queue.name, self.key_of(subscription), {}))
        if binding is not None:
            take_binding(self.vhost, exchange, binding)

    def key_of(self, subscription: MqttSubscription) -> str:
        """What the subscription's filter is called in AMQP."""
        if not subscription.binding_key:
            subscription.binding_key = self.world.names.binding_key_of(subscription.topic_filter)
        return subscription.binding_key

    def subscription_changed(self, now: MqttSubscription | None, before: MqttSubscription | None) -> None:
        """Count, and have what connections remember of topics looked up again."""
        self.subscription_count += (now is not None) - (before is not None)
        self.shared_count += (now is not None and bool(now.group)) - (before is not None and bool(before.group))
        self.system_topics.subscription_changed(now, before)
        if now is not None and before is not None:
            self.vhost.changed()

    def subscriptions_added(self, count: int) -> None:
        """The same for new ones of sessions' own, none of them for $SYS topics."""
        self.subscription_count += count

    # Shared subscriptions

    def join(self, subscription: MqttSubscription) -> None:
        """A session is one more of a group.

        The queue is durable whoever comes first, since a session that survives restarts may join at any time; at a
        start without any such member, it goes.
        """
        key = (subscription.group, subscription.topic_filter)
        found = self._shared.get(key)
        if found is not None:
            self.bind(found[0], [subscription])
            self._shared[key] = (found[0], found[1] + 1)
            return
        name = shared_queue_name(subscription)
        _check_free(self.vhost.queues.get(name), name)
        queue = create_queue(self.vhost, name, durable=True, arguments=_ARGUMENTS, arguments_raw=_ARGUMENTS_RAW)
        shared = cast("MqttQueue", queue)
        shared.share()
        self._shared[key] = (shared, 1)
        self.bind(shared, [subscription])

    def leave(self, subscription: MqttSubscription) -> None:
        """One less; the last one takes the queue with it."""
        key = (subscription.group, subscription.topic_filter)
        found = self._shared.get(key)
        if found is None:
            return
        if found[1] > 1:
            self._shared[key] = (found[0], found[1] - 1)
            return
        del self._shared[key]
        remove_queue(self.vhost, found[0])

    def queue_of(self, session: MqttSession, subscription: MqttSubscription) -> Queue | None:
        """Where a subscription's messages come from; None when a named queue is gone."""
        if subscription.group:
            found = self._shared.get((subscription.group, subscription.topic_filter))
            return found[0] if found is not None else None
        if subscription.queue_name:
            return self.vhost.queues.get(subscription.queue_name)
        return session.queue

    # Wills

    def publish_will(self, client_id: str, will: WillMessage) -> None:
        """A will's time has come, if its user may still publish it.

        It counts as published by its client, also where that wants none of its own.
        """
        try:
            if not rights.may_publish_will(self, client_id, will):
                return
        except Unanswered as unanswered:
            unanswered.then(partial(self.publish_will, client_id, will))
            return
        publishing.publish(self.vhost, will.topic, will.body, will.properties, retain=will.retain, publisher=client_id)

    # Restart

    def restore_session(self, client_id: str, row: Mapping[str, JSON]) -> None:
        """Take a session's row."""
        session = self.sessions[client_id] = MqttSession(
            self, client_id, int(str(row["expiry_s"])), str(row.get("user", "")), str(row.get("user_id", ""))
        )
        session.stored = True
        detached = row["detached_at_ms"]
        session.detached_at_ms = None if detached is None else int(str(detached))
        if row.get(ROW_FIELD):
            self.doubts[client_id] = Doubt()
        session.number_from(self.broker.now_ms)
        session.restore(int(str(row["inbound"])), int(str(row["outbound"])), subscriptions_in(row))

    def restore_subscriptions(self, name: str, row: Mapping[str, JSON]) -> None:
        """Take a row of a session's subscriptions, which comes behind the session's own."""
        client_id, number, subscriptions = parse_row(name, row)
        session = self.sessions.get(client_id)
        if session is None:
            _log.warning("subscriptions of the MQTT session '%s' have lost it; dropping them", client_id)
            self.broker.definitions.delete(SUBSCRIPTIONS_KIND, self.vhost.name, name)
        else:
            session.restore_subscriptions(number, subscriptions)

    def restore_cursor(self, name: str, row: Mapping[str, JSON]) -> None:
        """Take the row of a subscription that was still being given retained messages."""
        self._interrupted.append((name, str(row["client_id"]), str(row["filter"])))

    def _feed_again(self) -> None:
        """Who was being given retained messages when the broker crashed is given them anew."""
        interrupted, self._interrupted = self._interrupted, []
        for name, client_id, filter in interrupted:
            self.broker.definitions.delete(feeding.KIND, self.vhost.name, name)
            session = self.sessions.get(client_id)
            subscription = session.subscriptions.get(filter) if session is not None else None
            if session is not None and session.queue is not None and subscription is not None:
                session.feed_retained([subscription])

    def restored(self) -> None:
        """Queues and bindings are there: join them with their sessions; those that ended with the broker go."""
        self._join_queues()
        for session in list(self.sessions.values()):
            for subscription in list(session.subscriptions.values()):
                if subscription.group:
                    self._restore_shared(subscription)
                self._bind_again(session, subscription)
                self.subscription_changed(subscription, None)
            if session.detached_at_ms is None:
                session.detached_at_ms = self.broker.now_ms
                session.save()
            if session.expiry_s:
                session.expect_return()
            else:
                session.end()
        known = {id(session.queue) for session in self.sessions.values()}
        known |= {id(queue) for queue, _ in self._shared.values()}
        for queue in list(self.vhost.queues.values()):
            if isinstance(queue, MqttQueue) and id(queue) not in known:
                remove_queue(self.vhost, queue)
        self._feed_again()

    def _join_queues(self) -> None:
        """Give sessions their queues.  Where two have the same name for it, it is of the one that uses it."""
        claimed: dict[str, MqttSession] = {}
        for client_id, session in self.sessions.items():
            queue = self.vhost.queues.get(session_queue_name(client_id))
            if not isinstance(queue, MqttQueue):
                continue
            other = claimed.get(queue.name)
            if other is None or (session.has_own_subscriptions and not other.has_own_subscriptions):
                if other is not None:
                    other.queue = None
                claimed[queue.name] = session
                session.queue = queue
                queue.has_session = True
                queue.client_id = client_id
            elif not other.has_own_subscriptions:
                other.queue = None

    def _restore_shared(self, subscription: MqttSubscription) -> None:
        key = (subscription.group, subscription.topic_filter)
        queue = self.vhost.queues.get(shared_queue_name(subscription))
        if key not in self._shared and isinstance(queue, MqttQueue):
            queue.share()
            self._shared[key] = (queue, 1)
        else:
            self.join(subscription)

    def _bind_again(self, session: MqttSession, subscription: MqttSubscription) -> None:
        """Another exchange may be configured now, or another translation of topics."""
        queue = self.queue_of(session, subscription)
        if queue is not None and not subscription.queue_name and self.world.names.exchange in self.vhost.exchanges:
            self.bind(queue, [subscription])

    def close(self) -> None:
        """The virtual host is gone."""
        for session in list(self.sessions.values()):
            session.end()
        self.system_topics.stop()


def _check_free(queue: object, name: str) -> None:
    """Refuse a session whose queue's name is another program's."""
    if queue is not None:
        raise ResourceLocked(f"queue '{name}' is there already and belongs to no MQTT session; delete it first")
