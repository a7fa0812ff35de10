"""How a message becomes a PUBLISH for one client: one consumer per queue that the client is subscribed by.

What the client's subscriptions make of a message is a `Plan` (plan.py), made once per address.

A message of QoS 0 is done with once it is sent, so `no_ack`, which the queue looks at after each delivery, is what the
last message's was.  One that came with QoS 0 and no properties goes on as the packet that came in, if nothing about it
differs for this client.

Credit is the client's `window`, the messages of QoS 1 and 2 that it still takes (outflow.py).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.publish import NO_PROPERTIES, QOS_SHIFT, publish_head
from warren.adapters.mqtt.plan import FRAMED_FOR_LEVEL, is_own, planned, planned_for
from warren.adapters.mqtt.sessions.publishing import PERSISTENT, may_be_cut, topic_of_message
from warren.core.counters import not_given
from warren.core.queues.consumer import Consumer

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from warren.adapters.mqtt.outflow import Outflow
    from warren.adapters.mqtt.plan import Plan
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.clients.client import Client
    from warren.core.messages.address import Address
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

ADDRESSES_MAX: Final = 1024
"""Addresses whose plan is kept, per consumer; who gets endlessly many starts over."""


SKIPPED_AT_ONCE: Final = 1000
"""Messages in a row that no subscription wants any more: a million may wait of one that was taken away."""

AT_LEAST_ONCE: Final = 1 << QOS_SHIFT
"""The flags of a PUBLISH of QoS 1, neither a duplicate nor retained."""

HEAD_BYTES_MAX: Final = 10
"""What a PUBLISH of QoS 1 without properties has beside topic and payload, at most (3.3.1, 3.3.2)."""

JOINED_BYTES_MAX: Final = 1024
"""Payloads of one size are joined to packets at once up to this one; copying longer ones costs more than it saves."""

ANY_ID: Final = b"\0\0"
"""Where a packet identifier is put in afterwards."""

LOWER_OCTETS: Final = bytes(range(256))
"""Of packet identifiers one behind the other."""

NEVER_FRAMED: Final = -1
"""No message has this `framed_for`: every packet is made for this client."""


class MqttConsumer(Consumer):
    """What brings one client the messages of one queue.

    subscription: of a shared or named queue; None for the session's own.  lost: called when the queue was deleted.
    """

    is_components: ClassVar[bool] = True

    __slots__ = (
        "_address",
        "_framed_for",
        "_long_plans",
        "_lost",
        "_outbox",
        "_outflow",
        "_plan",
        "_plans",
        "_skipped",
        "_start",
        "_start_body_size",
        "_start_plan",
        "subscription",
    )

    def __init__(
        self,
        queue: Queue,
        client: Client,
        subscription: MqttSubscription | None,
        outflow: Outflow,
        lost: Callable[[MqttConsumer], None],
    ) -> None:
        super().__init__(
            queue,
            client,
            subscription.filter if subscription is not None else "",
            no_ack=False,
            exclusive=False,
            prefetch=outflow.window_max,
            arguments=subscription.stream.arguments() if subscription is not None and subscription.stream else {},
        )
        self.subscription = subscription
        self._lost = lost
        self._outflow = outflow
        self._outbox = outflow.outbox
        self._framed_for = FRAMED_FOR_LEVEL + max(outflow.level, versions.V3_1_1)
        self._address: Address | None = None
        self._plan: Plan | None = None
        self._skipped = 0
        # All of a PUBLISH of QoS 1 before its packet identifier, for a plan and bodies of one size.
        self._start = b""
        self._start_plan: Plan | None = None
        self._start_body_size = -1
        self._plans: dict[Address, Plan] | None = None
        self._long_plans: dict[str, Plan] | None = None
        if outflow.gives_aliases or (subscription is not None and subscription.queue_name):
            self._framed_for = NEVER_FRAMED

    @property
    def client_id(self) -> str:
        """The client's identifier, by which shared subscriptions know their members (sessions/sharing.py)."""
        return self._outflow.session.client_id

    def subscriptions_changed(self) -> None:
        """What addresses meant isn't valid any more."""
        self._address = None
        self._plans = self._long_plans = None

    def can_take(self) -> bool:
        """True when the client takes more, and its outbox has room."""
        return self._outflow.window > 0 and self._outbox.room > 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        plan = self._plan if message.address is self._address and self._plan is not None else self._use(message)
        outbox = self._outbox
        outflow = self._outflow
        if plan.qos > 0 and message.properties.persistent:
            self.no_ack = False
            if (
                message.properties is PERSISTENT
                and not redelivered
                and len(plan.identifiers) < 2
                and outflow.sends_strides
                and outflow.session.stride_room() > 0
            ):
                if not outbox.touched:
                    outbox.touch()
                outflow.window -= 1
                self._send_stride([message], plan)
            else:
                outflow.send_new(message, self.queue, self.tag, plan, redelivered)
        elif plan.qos < 0:
            self.no_ack = True
            not_given(self.queue.counts, self.counts, message.body_size, no_ack=True)
            self._skipped += 1
            if self._skipped % SKIPPED_AT_ONCE:
                return True
            # Others have a turn: it goes on when the outbox has been looked at.
            outbox.touch()
            outbox.parked[self] = None
            return False
        else:
            self.no_ack = True
            if message.framed_for == self._framed_for and len(plan.identifiers) < 2:
                packet = message.content
            else:
                packet = outflow.qos_0_packet(plan, message)
            if len(packet) <= outflow.packet_bytes_max:
                outbox.chunks.append(packet)
                if not outbox.touched:
                    outbox.touch()
                outbox.room -= len(packet)
                outflow.sent_count += 1
            else:
                self.no_ack = False
                outflow.give_up(self.queue, message)
        if outbox.room <= 0:
            outbox.parked[self] = None
            return False
        if outflow.window <= 0:
            outflow.starve(self)
            return False
        return True

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        """Of QoS 0, what goes on as the packet that came in; of QoS 1, what has nothing but topic and body."""
        plan, address, outbox, outflow = self._plan, self._address, self._outbox, self._outflow
        if plan is None or address is None or plan.qos < 0 or len(plan.identifiers) > 1:
            return 0
        if not self.no_ack:
            return self._deliver_with_ids(ready, plan, address)
        framed_for, packet_max = self._framed_for, outflow.packet_bytes_max
        chunks, room = outbox.chunks, outbox.room
        count = sent_bytes = 0
        while ready:
            message = ready.popleft()
            # What is framed has come with QoS 0.
            if isinstance(message, int) or message.address is not address or message.framed_for != framed_for:
                ready.appendleft(message)
                break
            packet = message.content
            left = room - len(packet)
            if left <= 0 or len(packet) > packet_max:
                ready.appendleft(message)
                break
            room = left
            chunks.append(packet)
            count += 1
            sent_bytes += message.body_size
        outbox.room = room
        outflow.sent_count += count
        return sent_bytes

    @property
    def keeps_persistence(self) -> bool:
        return True

    def _deliver_with_ids(self, ready: deque[Message | int], plan: Plan, address: Address) -> int:
        """Messages of QoS 1, whose packets differ in identifier and body alone; see `deliver_alike`."""
        outbox, outflow = self._outbox, self._outflow
        if plan.qos <= 0 or not outflow.sends_strides:
            return 0
        session = outflow.session
        head_bytes = len(plan.topic) + HEAD_BYTES_MAX
        sent_bytes = 0
        while ready and outflow.window > 1:
            most = min(session.stride_room(), outflow.window - 1)
            room = outbox.room
            messages: list[Message] = []
            for message in islice(ready, most):
                if isinstance(message, int) or message.address is not address or message.properties is not PERSISTENT:
                    break
                room -= message.body_size + head_bytes
                if room <= 0:
                    break
                messages.append(message)
            count = len(messages)
            if not count:
                break
            if count == len(ready):
                ready.clear()
            else:
                take = ready.popleft
                for _ in range(count):
                    take()
            outflow.window -= count
            sent_bytes += self._send_stride(messages, plan)
            if count < most:
                break
        return sent_bytes

    def _send_stride(self, messages: list[Message], plan: Plan) -> int:
        """Send plain messages of QoS 1 under identifiers one behind the other; the bytes of their bodies."""
        outbox, outflow = self._outbox, self._outflow
        first_id = outflow.session.send_stride(messages, self.queue, self.tag)
        outflow.sent_count += len(messages)
        contents = [
            message.content if len(message.content) == message.body_size else message.body for message in messages
        ]
        size = len(contents[0])
        properties = NO_PROPERTIES if outflow.level == versions.V5 else b""
        if len(contents) > 1 and size <= JOINED_BYTES_MAX and len(set(map(len, contents))) == 1:
            start = self._start_of(plan, size)
            between = start + ANY_ID + properties
            packets = bytearray(between)
            packets += between.join(contents)
            id_at, step = len(start), len(between) + size
            packets[id_at::step] = bytes((first_id >> 8,)) * len(contents)
            packets[id_at + 1 :: step] = LOWER_OCTETS[first_id & 0xFF : (first_id & 0xFF) + len(contents)]
            outbox.chunks.append(bytes(packets))
            outbox.room -= len(packets)
            return size * len(contents)
        chunks = outbox.chunks
        packet_id = first_id
        sent_bytes = head_bytes = 0
        for content in contents:
            head = self._start_of(plan, len(content)) + packet_id.to_bytes(2, "big") + properties
            chunks.append(head)
            chunks.append(content)
            packet_id += 1
            head_bytes += len(head)
            sent_bytes += len(content)
        outbox.room -= head_bytes + sent_bytes
        return sent_bytes

    def _start_of(self, plan: Plan, size: int) -> bytes:
        """All of a PUBLISH of QoS 1 before its packet identifier."""
        if plan is not self._start_plan or size != self._start_body_size:
            is_v5 = self._outflow.level == versions.V5
            head = publish_head(AT_LEAST_ONCE, plan.topic, 0, NO_PROPERTIES if is_v5 else b"", size)
            self._start = head[: -2 - is_v5]
            self._start_plan = plan
            self._start_body_size = size
        return self._start

    def resume(self) -> None:
        """Available again if there is credit; else it waits where the credit is missing."""
        if self.parked and self.active:
            if self._outbox.room <= 0:
                self._outbox.parked[self] = None
            elif self._outflow.window <= 0:
                self._outflow.starve(self)
            elif self._outflow.may_go(self):
                self.queue.resume(self)

    def cancelled(self) -> None:
        """The queue was deleted."""
        self._lost(self)

    def session_name(self) -> str:
        """The connection's name."""
        return self.client.name

    def _use(self, message: Message) -> Plan:
        address = message.address
        session = self._outflow.session
        if self.subscription is None and is_own(session, message):
            topic = topic_of_message(self._outflow.world.names, message)
            self._address = None
            self._plan = planned_for(session, None, topic, message)
            return self._plan
        if may_be_cut(address.routing_key):
            self._address = None
            self._plan = self._plan_by_topic(topic_of_message(self._outflow.world.names, message))
            return self._plan
        plans = self._plans
        if plans is None:
            plans = self._plans = {}
        plan = plans.get(address)
        if plan is None:
            if len(plans) >= ADDRESSES_MAX:
                plans.clear()
            topic = self._outflow.world.names.topic_of(address.routing_key)
            plan = plans[address] = planned(session, self.subscription, topic)
        # Where a message's own publisher matters, each is looked at.
        self._address = address if self.subscription is not None or not session.no_local_count else None
        self._plan = plan
        return plan

    def _plan_by_topic(self, topic: str) -> Plan:
        """The plan where the address doesn't tell the topic; kept only where that saves sending the topic again."""
        plans = self._long_plans or {}
        plan = plans.get(topic)
        if plan is None:
            outflow = self._outflow
            plan = planned(outflow.session, self.subscription, topic)
            if outflow.has_aliases_left:
                plans[topic] = plan
                self._long_plans = plans
        return plan
