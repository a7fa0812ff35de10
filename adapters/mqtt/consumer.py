"""How a message becomes a PUBLISH for one client: one consumer per queue that the client is subscribed by.

What the client's subscriptions make of a message is a `Plan` (plan.py), made once per address.

A message of QoS 0 is done with once it is sent, so `no_ack`, which the queue looks at after each delivery, is what the
last message's was.  One that came with QoS 0 and no properties goes on as the packet that came in, if nothing about it
differs for this client.

Credit is the connection's `window`, the messages of QoS 1 and 2 that the client still takes (outflow.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.outflow import give_up, is_too_large, publish_packet, send_outgoing, send_waiting, starve
from warren.adapters.mqtt.plan import FRAMED_FOR_LEVEL, planned
from warren.adapters.mqtt.sessions.headers import publish_qos
from warren.adapters.mqtt.sessions.outgoing import WAITING
from warren.adapters.mqtt.sessions.publishing import may_be_cut, topic_of_message
from warren.core.queues.consumer import Consumer

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.plan import Plan
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.messages.address import Address
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.classic.queue import ClassicQueue

ADDRESSES_MAX: Final = 1024
"""Addresses whose plan is kept, per consumer."""


class MqttConsumer(Consumer):
    """See the head of this file.  subscription: of a shared or named queue; None for the session's own."""

    __slots__ = ("_address", "_connection", "_framed_for", "_long_plans", "_outbox", "_plan", "_plans", "subscription")

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
        self._long_plans: dict[str, Plan] | None = None
        if connection.alias_max or (subscription is not None and subscription.queue_name):
            self._framed_for = -1

    def subscriptions_changed(self) -> None:
        """What addresses meant isn't valid any more."""
        self._address = None
        self._plans = self._long_plans = None

    def can_take(self) -> bool:
        """True when the client takes more, and its outbox has room."""
        return self._connection.window > 0 and self._outbox.room > 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        plan = self._plan if message.address is self._address and self._plan is not None else self._use(message)
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
                packet = publish_packet(self._connection, plan, message)
            if len(packet) <= self._connection.packet_bytes_max:
                outbox.chunks.append(packet)
                if not outbox.touched:
                    outbox.touch()
                outbox.room -= len(packet)
                self._connection.sent_count += 1
            else:
                self.no_ack = False
                give_up(self._connection, self.queue, message)
        if outbox.room <= 0:
            outbox.parked.append(self)
            return False
        if self._connection.window <= 0:
            starve(self._connection, self)
            return False
        return True

    def _send_acknowledged(self, message: Message, plan: Plan, redelivered: bool) -> None:
        connection = self._connection
        self.no_ack = False
        if connection.packet_bytes_max != versions.PACKET_BYTES_MAX and is_too_large(connection, plan, message):
            give_up(connection, self.queue, message)
            return
        qos = min(publish_qos(message.properties), plan.qos)
        outgoing = connection.session.send(message, cast("ClassicQueue", self.queue), qos, self.tag)
        connection.window -= 1
        if outgoing.state == WAITING:
            connection.after_flush.call(lambda: send_waiting(connection, outgoing, plan))
        elif not send_outgoing(connection, outgoing, plan, duplicate=redelivered):
            connection.window += 1

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                if self not in self._outbox.parked:
                    self._outbox.parked.append(self)
            elif self._connection.window <= 0:
                starve(self._connection, self)
            else:
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The queue was deleted: a session without its queue can't go on (spec C.5)."""
        connection = self._connection
        if connection.consumers is not None:
            connection.consumers.pop(self.tag, None)
        session = connection.session
        if connection.closed or session.ended:
            return
        if self.subscription is None:
            session.queue = None
            session.end()
        connection.disconnect(reason_codes.ADMINISTRATIVE_ACTION, f"{self.queue.description} was deleted")

    def session_name(self) -> str:
        return self._connection.name

    def _use(self, message: Message) -> Plan:
        address = message.address
        if may_be_cut(address.routing_key):
            self._address = None
            self._plan = self._plan_by_topic(topic_of_message(self._connection.world.names, message))
            return self._plan
        plans = self._plans
        if plans is None:
            plans = self._plans = {}
        plan = plans.get(address)
        if plan is None:
            if len(plans) >= ADDRESSES_MAX:
                plans.clear()
            topic = self._connection.world.names.topic_of(address.routing_key)
            plan = plans[address] = planned(self._connection.session, self.subscription, topic)
        self._address = address
        self._plan = plan
        return plan

    def _plan_by_topic(self, topic: str) -> Plan:
        """The plan where the address doesn't tell the topic; kept only where that saves sending the topic again."""
        plans = self._long_plans or {}
        plan = plans.get(topic)
        if plan is None:
            connection = self._connection
            plan = planned(connection.session, self.subscription, topic)
            if connection.aliases_given < connection.alias_max:
                plans[topic] = plan
                self._long_plans = plans
        return plan
