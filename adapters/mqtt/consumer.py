"""How a message becomes a PUBLISH for one client: one consumer per queue that the client is subscribed by.

The session's own queue brings one copy of a message, however many of its subscriptions match.  What they make of it
together (the highest QoS, all identifiers, whether the retain flag shows) is a `Plan`, made once per address.  Queues
that are shared, and named ones, belong to one subscription each, whose plan depends on no match.

A message of QoS 0 is done with once it is sent, so `no_ack`, which the queue looks at after each delivery, is what the
last message's was.  One that came with QoS 0 and no properties goes on as the packet that came in, if nothing about it
differs for this client.

Credit is the connection's `window`, the messages of QoS 1 and 2 that the client still takes (its receive maximum); a
consumer without it waits in `starved`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from adapters.mqtt.codec import versions
from adapters.mqtt.codec.publish import (
    NO_PROPERTIES,
    add_properties,
    publish_flags,
    write_publish_properties,
)
from adapters.mqtt.properties import mqtt_properties_of, remaining_expiry_s
from core.consumer import Consumer
from core.mqtt_sessions.headers import RETAIN, RETAINED_FOR, publish_qos
from core.mqtt_sessions.outgoing import WAITING, Outgoing
from core.mqtt_sessions.publishing import QUEUE_PREFIX
from core.mqtt_sessions.topics import topic_of

if TYPE_CHECKING:
    from adapters.mqtt.codec.properties import Properties as MqttProperties
    from adapters.mqtt.connection import MqttConnection
    from core.address import Address
    from core.message import Message
    from core.mqtt_sessions.subscription import MqttSubscription
    from core.queues.base import Queue
    from core.queues.classic import ClassicQueue

FRAMED_FOR_LEVEL: Final = 0x20000
"""`Message.framed_for` of a whole PUBLISH of QoS 0 without flags and properties, plus its level (3.1: 3.1.1's)."""

ADDRESSES_MAX: Final = 1024
"""Addresses whose plan is kept, per consumer."""

NO_MATCH: Final = -1


class Plan:
    """What an address means to a consumer.

    qos: the most that the subscriptions ask for; NO_MATCH when there are none (any more).  topic: UTF-8.
    identifiers: the properties that hold them.  retain: the flag shows as it was published.  alias: the topic's, 0
    before it has one.
    """

    __slots__ = ("alias", "identifiers", "qos", "retain", "topic")

    def __init__(self, topic: str, subscriptions: list[MqttSubscription]) -> None:
        self.topic = topic.encode("utf-8", "surrogateescape")
        self.qos = max((each.qos for each in subscriptions), default=NO_MATCH) if topic else NO_MATCH
        self.identifiers = identifiers_of([each.identifier for each in subscriptions if each.identifier])
        self.retain = any(each.retain_as_published for each in subscriptions)
        self.alias = 0


def identifiers_of(identifiers: list[int]) -> bytes:
    """Subscription identifiers as properties."""
    if not identifiers:
        return NO_PROPERTIES
    return write_publish_properties({"subscription_identifiers": sorted(identifiers)})


class MqttConsumer(Consumer):
    """See the head of this file.  subscription: of a shared or named queue; None for the session's own."""

    __slots__ = ("_address", "_connection", "_framed_for", "_outbox", "_plan", "_plans", "subscription")

    def __init__(self, connection: MqttConnection, queue: Queue, subscription: MqttSubscription | None) -> None:
        super().__init__(
            queue,
            connection.logged_in,
            subscription.filter if subscription is not None else "",
            no_ack=False,
            exclusive=False,
            prefetch=connection.window_max,
            arguments={},
        )
        self.subscription = subscription
        self._connection = connection
        self._outbox = connection.outbox
        self._framed_for = FRAMED_FOR_LEVEL + max(connection.level, versions.V3_1_1)
        self._address: Address | None = None
        self._plan: Plan | None = None
        self._plans: dict[Address, Plan] | None = None
        if connection.alias_max or (subscription is not None and subscription.queue_name):
            self._framed_for = -1

    def subscriptions_changed(self) -> None:
        """What addresses meant isn't valid any more."""
        self._address = None
        self._plans = None

    def can_take(self) -> bool:
        """True when the client takes more, and its outbox has room."""
        return self._connection.window > 0 and self._outbox.room > 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        plan = self._plan if message.address is self._address and self._plan is not None else self._use(message.address)
        outbox = self._outbox
        if plan.qos > 0 and message.properties.persistent:
            self._send_acknowledged(message, plan, redelivered)
        elif plan.qos < 0:
            self.no_ack = True
            return True
        else:
            self.no_ack = True
            if message.framed_for == self._framed_for and len(plan.identifiers) < 2:
                packet = message.content
            else:
                packet = self._connection.publish_packet(plan, message, 0, 0)
            if len(packet) <= self._connection.packet_bytes_max:
                outbox.chunks.append(packet)
                if not outbox.touched:
                    outbox.touch()
                outbox.room -= len(packet)
                self._connection.sent_count += 1
        if outbox.room <= 0:
            outbox.parked.append(self)
            return False
        if self._connection.window <= 0:
            self._connection.starve(self)
            return False
        return True

    def _send_acknowledged(self, message: Message, plan: Plan, redelivered: bool) -> None:
        connection = self._connection
        self.no_ack = False
        qos = min(publish_qos(message.properties), plan.qos)
        outgoing = connection.session.send(message, cast("ClassicQueue", self.queue), qos, self.tag)
        connection.window -= 1
        if outgoing.state == WAITING:
            connection.after_flush.call(lambda: connection.send_waiting(outgoing, plan))
        else:
            connection.send_outgoing(outgoing, plan, duplicate=redelivered and qos > 0)

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                if self not in self._outbox.parked:
                    self._outbox.parked.append(self)
            elif self._connection.window <= 0:
                self._connection.starve(self)
            else:
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The queue is gone."""
        self._connection.queue_gone(self)

    def session_name(self) -> str:
        return self._connection.name

    def plan_of(self, message: Message) -> Plan:
        """The plan of a message that is sent again."""
        return self._use(message.address)

    def _use(self, address: Address) -> Plan:
        plans = self._plans
        if plans is None:
            plans = self._plans = {}
        plan = plans.get(address)
        if plan is None:
            if len(plans) >= ADDRESSES_MAX:
                plans.clear()
            plan = plans[address] = self._planned(address)
        self._address = address
        self._plan = plan
        return plan

    def _planned(self, address: Address) -> Plan:
        subscription = self.subscription
        if subscription is None:
            topic = topic_of_address(address)
            return Plan(topic, self._connection.session.matching(topic))
        if subscription.queue_name:
            return Plan(QUEUE_PREFIX + subscription.queue_name, [subscription])
        topic = topic_of_address(address)
        if topic.startswith("$") and subscription.topic_filter[:1] in ("+", "#"):
            return Plan(topic, [])
        return Plan(topic, [subscription])


def topic_of_address(address: Address) -> str:
    """The topic that a message's address stands for, wherever it was published."""
    return topic_of(address.routing_key)


def encode_delivery(
    plan: Plan, message: Message, outgoing: Outgoing | None, *, level: int, duplicate: bool, now_ms: int
) -> tuple[int, bytes]:
    """The flags and the properties of a delivery; properties are b"" below MQTT 5."""
    headers = message.properties.headers
    retain = False
    identifiers = plan.identifiers
    if headers:
        retained_for = headers.get(RETAINED_FOR)
        if isinstance(retained_for, int):
            retain = True
            identifiers = identifiers_of([int(retained_for)] if retained_for else [])
        else:
            retain = plan.retain and RETAIN in headers
    flags = publish_flags(outgoing.qos if outgoing is not None else 0, retain=retain, duplicate=duplicate)
    if level != versions.V5:
        return flags, b""
    properties = add_properties(mqtt_properties_of(message), identifiers)
    expiry_s = remaining_expiry_s(message, now_ms)
    if expiry_s is not None:
        properties = add_properties(properties, write_publish_properties({"message_expiry_interval": expiry_s}))
    return flags, properties


def with_alias(properties: bytes, alias: int) -> bytes:
    """The properties with a topic alias."""
    added: MqttProperties = {"topic_alias": alias}
    return add_properties(properties, write_publish_properties(added))
