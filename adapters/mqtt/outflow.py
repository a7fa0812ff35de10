"""Messages to the client: their packets, and for QoS 1 and 2 how many may be under way and what is sent again.

`window` counts how many more messages of QoS 1 and 2 the client takes (its receive maximum).  When it is used up, all
consumers of the client wait, and go on in turns (adapters.session.shared_turns).  Messages of an earlier connection
that the client wasn't done with wait for their turn to be sent again, before anything new is (MQTT-4.4.0-1,
MQTT-4.6.0-1).  What an earlier connection was still waiting for the disk with waits for it here too: its packet
identifier, or its release, may not be there yet.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.publish import join_publish, publish_head
from warren.adapters.mqtt.codec.short_answers import PUBREL, short_answer
from warren.adapters.mqtt.plan import encode_delivery, plan_without_subscription, planned_for, with_alias
from warren.adapters.mqtt.sessions.headers import publish_qos
from warren.adapters.mqtt.sessions.outgoing import RELEASED_BY_CLIENT, SENT, WAITING, Outgoing
from warren.adapters.mqtt.sessions.publishing import topic_of_message
from warren.adapters.mqtt.sessions.rejecting import take_back
from warren.adapters.session.shared_turns import FREE_MAX, SharedTurns
from warren.core.counters import not_given
from warren.core.queues.consumer import Consumer
from warren.core.queues.deaths import REJECTED, own_deaths

if TYPE_CHECKING:
    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.plan import Plan
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.counters import SessionCounts
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

_log = logging.getLogger("warren.mqtt")

PACKET_ID_BYTES: Final = 2
"""What a PUBLISH of QoS 1 or 2 has more than one of QoS 0 (MQTT 5 2.2.1)."""

NO_CONSUMERS: Final[Mapping[str, Consumer]] = {}

ALIAS_BYTES: Final = 3
"""What an alias costs, a property's identifier and two bytes (3.3.2.3.4); no longer topic saves anything by it."""


class Outflow:
    """To one client; its consumers (consumer.py) read and count down what is public here, message by message.

    consumers: all of them, once there are any.

    window: messages of QoS 1 and 2 that the client takes now.  window_max: when it has none.  packet_bytes_max: the
    longest packet that it takes, in bytes.  sent_count: PUBLISH packets so far.  counts: of the connection.  ended:
    nothing is sent any more.
    """

    __slots__ = (
        "_alias_max",
        "_aliases_given",
        "_earlier",
        "_resending",
        "_turns",
        "answers",
        "consumers",
        "counts",
        "ended",
        "level",
        "outbox",
        "packet_bytes_max",
        "sent_count",
        "session",
        "window",
        "window_max",
        "world",
    )

    def __init__(self, session: MqttSession, answers: Answers, counts: SessionCounts) -> None:
        agreed = answers.agreed
        self.session = session
        self.answers = answers
        self.counts = counts
        self.outbox = answers.outbox
        self.world = answers.world
        self.level = agreed.level
        self.packet_bytes_max = agreed.packet_bytes_max
        self.window = self.window_max = agreed.in_flight_max
        self.consumers: Mapping[str, Consumer] = NO_CONSUMERS
        self.sent_count = 0
        self.ended = False
        self._alias_max = agreed.alias_max if agreed.level == versions.V5 else 0
        self._aliases_given = 0
        self._earlier = session.outgoing_count
        self._turns: SharedTurns[Consumer] | None = None
        self._resending: deque[Outgoing] | None = None
        doubt = session.doubt
        if doubt is not None:
            # What an earlier connection asked is answered by nobody.
            doubt.waiting.clear()

    @property
    def sends_strides(self) -> bool:
        """True when it takes packets of any length, and no topic is to travel as an alias."""
        return self.packet_bytes_max == versions.PACKET_BYTES_MAX and not self._alias_max

    def outstanding(self) -> int:
        """Messages that it was given on this connection, and hasn't acknowledged (core.counters.SessionCounts)."""
        return self.session.outgoing_count - self._earlier

    # The window

    def window_opened(self, count: int = 1) -> None:
        """The client is done with so many messages: it takes as many more."""
        self.window = min(self.window + count, self.window_max)
        if self._resending:
            self._resend()
        turns = self._turns
        if turns is not None and turns.are_waiting and self.window > 0:
            turns.go_on()

    def starve(self, consumer: Consumer) -> None:
        """The client takes nothing more for now, from any of its queues; `consumer` took the last, or wants some."""
        self._shared().starve(consumer)

    def may_go(self, consumer: Consumer) -> bool:
        """A parked consumer has credit again: True if it is to be available (adapters.session.shared_turns)."""
        if self._turns is None and len(self.consumers) < FREE_MAX:
            return True
        return self._shared().may_go(consumer)

    def _shared(self) -> SharedTurns[Consumer]:
        if self._turns is None:
            self._turns = SharedTurns(self.consumers, lambda: self.window)
        return self._turns

    def consumer_gone(self, consumer: Consumer) -> None:
        """It waits no more."""
        if self._turns is not None:
            self._turns.forget(consumer)

    # Sending

    def send_new(self, message: Message, queue: Queue, source: str, plan: Plan, redelivered: bool) -> None:
        """Send a message of QoS 1 or 2 that its queue has just delivered; if need be, once its identifier is on disk.

        source: see Outgoing.  redelivered: it may have been sent to somebody before.
        """
        if self.packet_bytes_max != versions.PACKET_BYTES_MAX and self._is_too_large(plan, message):
            self.give_up(queue, message)
            return
        outgoing = self.session.send(message, queue, min(publish_qos(message.properties), plan.qos), source)
        self.window -= 1
        if outgoing.state == WAITING:
            self.answers.after_flush.call(partial(self._send_waiting, outgoing, plan))
        elif not self._send(outgoing, plan, duplicate=redelivered):
            self.window += 1

    def qos_0_packet(self, plan: Plan, message: Message) -> bytes:
        """A PUBLISH of QoS 0, made for this client: its flags, properties, alias."""
        if not message.properties.special and self.level != versions.V5:
            return join_publish(0, plan.topic, 0, b"", message.body)
        return self._packet(plan, message, None, duplicate=False)

    def give_up(self, queue: Queue, message: Message, *, again: bool = False) -> None:
        """A message is too large for the client: as if it had been sent (MQTT-3.1.2-25), but dead letters are kept.

        One that comes back to a queue for the same reason goes for good.  again: it has counted as delivered before, on
        an earlier connection.
        """
        self.world.dropped += 1
        self.world.broker.limit_hits.warn(
            "maximum packet size",
            self.session.client_id,
            _log,
            "client '%s' doesn't get a message of %d bytes to '%s': it takes packets of up to %d bytes",
            self.session.client_id,
            message.body_size,
            message.address.routing_key,
            self.packet_bytes_max,
        )
        if again:
            self.counts.returned += 1
        else:
            not_given(queue.counts, self.counts.of(queue), message.body_size)
        for death in own_deaths(message.properties):
            if death.get("queue") == queue.name and death.get("reason") == REJECTED:
                queue.acknowledge(message)
                return
        queue.discard(message)
        if not again:
            queue.counts.rejected -= 1

    @property
    def gives_aliases(self) -> bool:
        """True when topics may travel as aliases, so that no packet can go on as it came."""
        return self._alias_max > 0

    @property
    def has_aliases_left(self) -> bool:
        """True when a further topic can be given an alias."""
        return self._aliases_given < self._alias_max

    def _is_too_large(self, plan: Plan, message: Message) -> bool:
        """True for a message that the client doesn't take, whatever its QoS (MQTT-3.1.2-24)."""
        _, properties = self._encoded(plan, message, None, duplicate=False)
        topic = b"" if plan.alias else plan.topic
        if plan.alias:
            properties = with_alias(properties, plan.alias)
        room = self.packet_bytes_max - PACKET_ID_BYTES
        return len(publish_head(0, topic, 0, properties, message.body_size)) + message.body_size > room

    def _send(self, outgoing: Outgoing, plan: Plan, *, duplicate: bool, again: bool = False) -> bool:
        """Send a message of QoS 1 or 2; False when it turns out to be too large, and is done with."""
        message = outgoing.message
        if message is None:
            return True
        outgoing.state = SENT
        packet = self._packet(plan, message, outgoing, duplicate=duplicate)
        if len(packet) > self.packet_bytes_max:
            store = self.world.broker.store
            store.begin_group()
            delivery = take_back(self.session, outgoing)
            if delivery is not None:
                self.give_up(*delivery, again=again)
            self.session.acknowledge(outgoing.packet_id)
            store.end_group()
            return False
        self.outbox.write(packet)
        self.sent_count += 1
        return True

    def _send_waiting(self, outgoing: Outgoing, plan: Plan) -> None:
        """Its packet identifier is on disk: send it, if it still is to be sent."""
        if not self._is_due(outgoing) or self._frees_first(outgoing, partial(self._send_waiting, outgoing, plan)):
            return
        if not self._send(outgoing, plan, duplicate=False):
            self.window_opened()

    def _is_due(self, outgoing: Outgoing) -> bool:
        return not self.ended and self.session.outgoing.get(outgoing.packet_id) is outgoing

    # Identifiers in doubt

    def _frees_first(self, outgoing: Outgoing, then: Callable[[], None]) -> bool:
        """Whether the client may have something else under its packet identifier: `then` is called when it hasn't."""
        doubt = self.session.doubt
        if doubt is None or doubt.is_free(outgoing.packet_id):
            return False
        doubt.waiting[outgoing.packet_id] = then
        self.outbox.write(short_answer(PUBREL, outgoing.packet_id))
        self.world.answers_sent += 1
        return True

    def freed(self, packet_id: int) -> None:
        """PUBCOMP for what wasn't released: the client has nothing under this identifier."""
        session = self.session
        doubt = session.doubt
        if doubt is None:
            return
        then = doubt.freed(packet_id)
        if then is not None:
            then()
            if doubt.is_over:
                session.trust()

    # Sending again

    def resend(self) -> None:
        """Send again what an earlier connection left, in the order of the first time.

        As far as the client takes it, and as the outbox has room: there may be 65,535 messages of any size.
        """
        self._resending = deque(self.session.outgoing.values()) or None
        self._resend()

    def _resend(self) -> None:
        resending, session, answers = self._resending, self.session, self.answers
        while resending and self.window > 0:
            if self.outbox.room <= 0:
                self.outbox.parked[self] = None
                return
            outgoing = resending.popleft()
            if session.outgoing.get(outgoing.packet_id) is not outgoing:
                continue
            self.window -= 1
            session.count(outgoing)
            if outgoing.state == RELEASED_BY_CLIENT:
                answers.send_in_order(short_answer(PUBREL, outgoing.packet_id), stored=session.stores)
            elif outgoing.state == WAITING:
                answers.after_flush.call(partial(self._send_waiting_again, outgoing))
            elif not self._send_again(outgoing, duplicate=True):
                self.window += 1
        if not resending:
            self._resending = None

    def resume(self) -> None:
        """The outbox has room again: go on sending again, before anything new is sent."""
        if self._resending:
            self._resend()

    def _send_waiting_again(self, outgoing: Outgoing) -> None:
        if not self._is_due(outgoing) or self._frees_first(outgoing, partial(self._send_waiting_again, outgoing)):
            return
        if not self._send_again(outgoing, duplicate=False):
            self.window_opened()

    def _send_again(self, outgoing: Outgoing, *, duplicate: bool) -> bool:
        session, message = self.session, outgoing.message
        if message is None:
            return True
        subscription = session.subscriptions.get(outgoing.source) if outgoing.source else None
        topic = topic_of_message(self.world.names, message)
        plan = planned_for(session, subscription, topic, message)
        if plan.qos < 0:
            plan = plan_without_subscription(topic)
        return self._send(outgoing, plan, duplicate=duplicate, again=True)

    # Packets

    def _packet(self, plan: Plan, message: Message, outgoing: Outgoing | None, *, duplicate: bool) -> bytes:
        """The PUBLISH, in as few bytes as the client's topic aliases allow.

        What is sent again has a plan that nobody keeps, so it is given no alias.
        """
        flags, properties = self._encoded(plan, message, outgoing, duplicate=duplicate)
        packet_id = outgoing.packet_id if outgoing is not None else 0
        if self._alias_max:
            if plan.alias:
                return join_publish(flags, b"", packet_id, with_alias(properties, plan.alias), message.body)
            if self._aliases_given < self._alias_max and len(plan.topic) > ALIAS_BYTES and not duplicate:
                alias = self._aliases_given + 1
                packet = join_publish(flags, plan.topic, packet_id, with_alias(properties, alias), message.body)
                if len(packet) <= self.packet_bytes_max:
                    self._aliases_given = plan.alias = alias
                    return packet
        return join_publish(flags, plan.topic, packet_id, properties, message.body)

    def _encoded(
        self, plan: Plan, message: Message, outgoing: Outgoing | None, *, duplicate: bool
    ) -> tuple[int, bytes]:
        world = self.world
        return encode_delivery(
            plan,
            message,
            outgoing,
            names=world.names,
            level=self.level,
            duplicate=duplicate,
            now_ms=world.broker.now_ms,
        )

    def end(self) -> None:
        """The connection ends: nobody waits any more."""
        self.ended = True
        self.window = 0
        self._turns = self._resending = None
        self.world.publish_sent += self.sent_count
        self.sent_count = 0
