"""One MQTT connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` runs one loop over the packets of a read.  The loop knows by heart a PUBLISH of QoS 0 or 1, without properties
or flags, to a topic that this connection published to before: `_known`, a dict from the topic's bytes to where its
messages go, saves checking and routing it again.  Everything else goes through the codec and `_packet`, which is also
where every error comes from.  The dict is dropped when something that it rests on changes: topology, users, alarms.

What dies with the socket is here; the session (core.mqtt_sessions) outlives it.  Messages of QoS 1 and 2 to the client
are the session's `outgoing`; `window` counts how many more it takes, and `_resending` holds those of an earlier
connection that wait for their turn to be sent again, before anything new is.

Phases: connecting (only CONNECT is allowed, and AUTH after it) -> running -> closed.  While an alarm blocks publishing,
packets from a PUBLISH on are held back in order, except acknowledgements and PINGREQ.

Longer than 400 lines because the loop, acknowledgements and the phases share the state of one connection.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from adapters.mqtt import connecting, publishing, subscribing
from adapters.mqtt.after_flush import AfterFlush
from adapters.mqtt.codec import reason_codes, versions
from adapters.mqtt.codec.decode import decode
from adapters.mqtt.codec.encode import PINGRESP, encode_within
from adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)
from adapters.mqtt.codec.publish import join_publish, peek_publish
from adapters.mqtt.codec.sender import check_from_client
from adapters.mqtt.codec.short_answers import PUBACK, PUBCOMP, PUBREL, peek_short_answer, short_answer
from adapters.mqtt.consumer import FRAMED_FOR_LEVEL, MqttConsumer, Plan, encode_delivery, with_alias
from adapters.mqtt.errors import Refusal
from adapters.mqtt.listing import describe_channel, describe_connection
from adapters.mqtt.settings import PACKET_BYTES_MAX_BEFORE_LOGIN
from core.declaration_queue import end_client, end_consumer
from core.errors import InternalError
from core.message import Message
from core.mqtt_sessions.outgoing import RELEASED_BY_CLIENT, SENT, Outgoing
from core.mqtt_sessions.publishing import PERSISTENT
from core.outbox import Outbox
from core.properties import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.mqtt.authentication import Exchange
    from adapters.mqtt.publishing import KnownTopic
    from adapters.mqtt.settings import MqttSettings
    from core.ack_timeout import AckHolder
    from core.broker import Broker
    from core.client import Client
    from core.deadlines import Deadline
    from core.mqtt_sessions.registry import MqttSessions
    from core.mqtt_sessions.session import MqttSession
    from core.mqtt_sessions.subscription import MqttSubscription
    from core.transport import Transport
    from core.wills import WillMessage

_log = logging.getLogger("warren.mqtt")

HELD_BYTES_MAX: Final = 1024 * 1024
"""Held back per connection under an alarm; TCP holds back the rest."""

_ANSWERS: Final = frozenset(
    {versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.PINGREQ, versions.DISCONNECT}
)
"""What is never held back: it frees memory, or ends the connection."""


class MqttConnection:
    """A session in the sense of core.transport.Session; made by the listener for each accepted socket.

    level: what is spoken, UNKNOWN until CONNECT.  window: messages of QoS 1 and 2 that the client takes now.
    packet_bytes_max: the largest packet that the client takes.  alias_max: topic aliases that it takes.
    """

    __slots__ = (
        "_aliases_given",
        "_close_deadline",
        "_closed",
        "_consumers",
        "_held",
        "_held_bytes",
        "_keep_alive",
        "_known",
        "_resending",
        "_starved",
        "_suspended",
        "_tail",
        "_users_version",
        "_vhost_version",
        "after_flush",
        "alias_max",
        "aliases",
        "broker",
        "client",
        "client_id",
        "connected_at_ms",
        "exchange",
        "has_no_local",
        "is_bridge",
        "keep_alive_ms",
        "level",
        "outbox",
        "packet_bytes_max",
        "problem_information",
        "received_at_ms",
        "sent_count",
        "session",
        "session_expiry_s",
        "sessions",
        "settings",
        "state",
        "transport",
        "will",
        "will_delay_s",
        "window",
        "window_max",
    )

    session: MqttSession
    sessions: MqttSessions

    def __init__(self, broker: Broker, transport: Transport, settings: MqttSettings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.after_flush = AfterFlush(broker, self.outbox)
        self.level = versions.UNKNOWN
        self.state = "connecting"
        self.client: Client | None = None
        self.client_id = ""
        self.connected_at_ms = broker.now_ms
        self.received_at_ms = broker.now_ms
        self.keep_alive_ms = 0
        self.session_expiry_s = 0
        self.will: WillMessage | None = None
        self.will_delay_s = 0
        self.window = self.window_max = 0
        self.packet_bytes_max = versions.PACKET_BYTES_MAX
        self.problem_information = True
        self.alias_max = 0
        self.aliases: dict[int, str] | None = None
        self.has_no_local = False
        self.is_bridge = False
        self.sent_count = 0
        self.exchange: Exchange | None = None
        self._aliases_given = 0
        self._closed = False
        self._suspended = False
        self._tail = b""
        self._held: list[bytes] | None = None
        self._held_bytes = 0
        self._known: dict[bytes, KnownTopic] | None = None
        self._vhost_version = -1
        self._users_version = -1
        self._consumers: dict[str, MqttConsumer] | None = None
        self._starved: list[MqttConsumer] | None = None
        self._resending: deque[Outgoing] | None = None
        self._close_deadline: Deadline | None = None
        self._keep_alive: Deadline | None = broker.deadlines.schedule(
            broker.now_ms + settings.login_timeout_ms, self._login_expired
        )
        broker.sessions[self] = None

    @property
    def name(self) -> str:
        """As listings show it."""
        transport = self.transport
        return f"{transport.peer_host}:{transport.peer_port} -> {transport.host}:{transport.port}"

    @property
    def logged_in(self) -> Client:
        """The client; InternalError before CONNECT."""
        if self.client is None:
            raise InternalError("the connection is not logged in")
        return self.client

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        self.received_at_ms = self.broker.now_ms
        if self._closed:
            return
        if self._tail:
            data = self._tail + data
            self._tail = b""
        if self._suspended:
            self._tail = data
            return
        try:
            position = self._parse(data)
            if position < len(data):
                self._tail = data[position:]
        except PacketError as error:
            self._refuse(error.reason_code, str(error), error.level)
        except Refusal as error:
            self._refuse(error.reason_code, error.text)
        except Exception as error:
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            self._refuse(reason_codes.UNSPECIFIED_ERROR, "internal error; the broker's log has the details")
        if self._closed:
            self._tail = b""
        elif self.outbox.overfull and not self._suspended:
            self._suspend()

    def drained(self) -> None:
        """The peer has read what it was sent: go on with packets that waited for that."""
        if not self._suspended or self._closed:
            return
        self._suspended = False
        if self._close_deadline is not None:
            self._close_deadline.cancel()
        if self._held is None:
            self.transport.resume()
        self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """The socket is gone; the session waits for its client, or ends."""
        if not self._closed:
            _log.info("connection %s (client '%s') lost: %s", self.name, self.client_id, reason)
        self._end(publish_will=True)
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Tell the client that the broker stops, and close."""
        self.disconnect(reason_codes.SERVER_SHUTTING_DOWN, reason)

    def force_close(self, reason: str) -> None:
        """An operator's wish."""
        code = reason_codes.SERVER_SHUTTING_DOWN if "shutdown" in reason else reason_codes.ADMINISTRATIVE_ACTION
        self.disconnect(code, reason)

    # The loop

    def _parse(self, data: bytes) -> int:
        """Handle all packets that are whole; the position of what is left."""
        end = len(data)
        position = 0
        if self.level == versions.UNKNOWN:
            position = self._first(data)
            if self.level == versions.UNKNOWN:
                return position
        broker = self.broker
        level = self.level
        packet_max = self.settings.packet_bytes_max
        plain_framed = FRAMED_FOR_LEVEL + max(level, versions.V3_1_1)
        is_v5 = level == versions.V5
        received = 0
        known_topics = self.known_topics_now() if self.client is not None and self._held is None else {}
        while position < end and not self._closed and not self._suspended:
            first = data[position]
            if (first == 0x30 or first == 0x32) and end - position > 4 and known_topics:
                length = data[position + 1]
                at = position + 2
                if length > 0x7F:
                    length = length & 0x7F | (data[at] & 0x7F) << 7
                    at = at + 1 if data[at] < 0x80 else end
                stop = at + length
                if stop <= end and length > 4 and stop - position <= packet_max:
                    topic_at = at + 2
                    topic_end = topic_at + (data[at] << 8 | data[at + 1])
                    known = known_topics.get(data[topic_at:topic_end])
                    body = topic_end if first == 0x30 else topic_end + 2
                    if is_v5:
                        body += 1
                    if known is not None and body <= stop and not (is_v5 and data[body - 1]):
                        if first == 0x30:
                            packet = data[position:stop]
                            broker.sequence = sequence = broker.sequence + 1
                            message = Message(
                                sequence,
                                known.address,
                                EMPTY,
                                packet,
                                body - position,
                                stop - body,
                                plain_framed,
                                broker.now_ms,
                            )
                            for queue in known.queues:
                                queue.append(message)
                            position = stop
                            received += 1
                            continue
                        packet_id = data[topic_end] << 8 | data[topic_end + 1]
                        if packet_id and (known.routed or not is_v5):
                            if is_v5:
                                self.check_receive_maximum()
                            broker.sequence = sequence = broker.sequence + 1
                            message = Message(
                                sequence, known.address, PERSISTENT, data[body:stop], 0, stop - body, 0, broker.now_ms
                            )
                            for queue in known.queues:
                                queue.append(message)
                            if known.store_ids:
                                broker.store.append(message, known.store_ids)
                                self.after_flush.send(short_answer(PUBACK, packet_id), stored=True)
                            else:
                                self.after_flush.send(short_answer(PUBACK, packet_id), stored=False)
                            position = stop
                            received += 1
                            continue
            elif first == PUBACK:
                packet_id = peek_short_answer(data, position, end)
                if packet_id:
                    self._acknowledged(packet_id, 0)
                    position += 4
                    continue
            next_position = self._next(data, position, end)
            if next_position < 0:
                break
            position = next_position
            known_topics = self.known_topics_now() if self.client is not None and self._held is None else {}
        if received:
            broker.mqtt.publish_received += received
        return position

    def _first(self, data: bytes) -> int:
        """The CONNECT that has to come first."""
        found = decode(data, 0, len(data), versions.UNKNOWN, PACKET_BYTES_MAX_BEFORE_LOGIN)
        if found is None:
            return 0
        packet, position = found
        if not isinstance(packet, Connect):
            raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-1", "the first packet is no CONNECT")
        self.level = packet.level
        connecting.connect(self, packet)
        return position

    def _next(self, data: bytes, position: int, end: int) -> int:
        """Handle the packet at `position`; where the next one begins, -1 when it isn't all there."""
        kind = data[position] >> 4
        packet_max = self.settings.packet_bytes_max if self.client is not None else PACKET_BYTES_MAX_BEFORE_LOGIN
        if self.client is not None and self._holds(kind):
            return self._hold(data, position, end)
        if kind == versions.PUBLISH:
            if self.client is None:
                raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12", "a PUBLISH before the login is through")
            peeked = peek_publish(data, position, end, self.level, packet_max)
            if peeked is None:
                return -1
            flags, topic, packet_id, properties, payload_at, packet_end = peeked
            self.broker.mqtt.publish_received += 1
            publishing.publish(self, flags, topic, packet_id, properties, data[payload_at:packet_end])
            return packet_end
        found = decode(data, position, end, self.level, packet_max)
        if found is None:
            return -1
        self._packet(found[0])
        return found[1]

    def _packet(self, packet: Packet) -> None:
        """Handle any packet but PUBLISH."""
        check_from_client(packet, self.level)
        if isinstance(packet, Auth):
            connecting.authenticate_further(self, packet)
            return
        if isinstance(packet, Disconnect):
            self._disconnected(packet)
            return
        if self.client is None:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR, "MQTT-3.1.2-30", "the login isn't through: only AUTH is allowed"
            )
        if isinstance(packet, PubAck):
            self._acknowledged(packet.packet_id, packet.reason_code)
        elif isinstance(packet, PubRec):
            self._received(packet)
        elif isinstance(packet, PubRel):
            self._released(packet)
        elif isinstance(packet, PubComp):
            if self.session.complete(packet.packet_id) is not None:
                self._window_opened()
        elif isinstance(packet, PingReq):
            self.outbox.write(PINGRESP)
        elif isinstance(packet, Subscribe):
            subscribing.subscribe(self, packet)
        elif isinstance(packet, Unsubscribe):
            subscribing.unsubscribe(self, packet)
        else:
            raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-2", "a second CONNECT")

    def known_topics_now(self) -> dict[bytes, KnownTopic]:
        """The remembered topics, none of which is older than what it rests on."""
        known = self._known
        if known is None:
            known = self._known = {}
        vhost_version = self.logged_in.vhost.version
        users_version = self.broker.users.version
        if vhost_version != self._vhost_version or users_version != self._users_version:
            self._vhost_version = vhost_version
            self._users_version = users_version
            known.clear()
        elif self.broker.alarms.blocked is not None:
            known.clear()
        return known

    def check_receive_maximum(self) -> None:
        """One more message of QoS 1 or 2 comes: Refusal 0x93 when it is too many at once (MQTT-3.3.4-7)."""
        if self.level != versions.V5:
            return
        if self.after_flush.count + len(self.session.inbound) >= self.settings.receive_maximum:
            unfinished = len(self.session.inbound)
            if unfinished >= self.settings.receive_maximum or self.after_flush.count >= self.settings.receive_maximum:
                raise Refusal(
                    reason_codes.RECEIVE_MAXIMUM_EXCEEDED,
                    f"more than {self.settings.receive_maximum} messages are not acknowledged, the receive maximum",
                )

    # Acknowledgements

    def _acknowledged(self, packet_id: int, reason_code: int) -> None:
        outgoing = self.session.outgoing.get(packet_id)
        if outgoing is None:
            return
        if outgoing.qos != 1:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR, "4.3.3", f"PUBACK for the packet identifier {packet_id}, which has QoS 2"
            )
        if reason_code >= reason_codes.FAILURE and outgoing.queue is not None and outgoing.message is not None:
            outgoing.queue.discard(outgoing.message)
            outgoing.queue = None
        self.session.acknowledge(packet_id)
        self._window_opened()

    def _received(self, packet: PubRec) -> None:
        outgoing = self.session.outgoing.get(packet.packet_id)
        if outgoing is not None and outgoing.qos != 2:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR, "4.3.2", f"PUBREC for {packet.packet_id}, which has QoS 1"
            )
        if packet.reason_code >= reason_codes.FAILURE:
            if outgoing is not None:
                self.session.acknowledge(packet.packet_id)
                self._window_opened()
            return
        released = self.session.release(packet.packet_id)
        if released is None and self.level == versions.V5:
            self.send(PubRel(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
        else:
            stored = released is not None and self.session.stores
            self.after_flush.send(short_answer(PUBREL, packet.packet_id), stored=stored)

    def _released(self, packet: PubRel) -> None:
        if not self.session.forget_inbound(packet.packet_id) and self.level == versions.V5:
            self.send(PubComp(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
        else:
            self.after_flush.send(short_answer(PUBCOMP, packet.packet_id), stored=self.session.stores)

    def _window_opened(self) -> None:
        if self.window < self.window_max:
            self.window += 1
        if self._resending:
            self._resend()
        if self._starved and self.window > 0:
            starved = self._starved
            self._starved = None
            for consumer in starved:
                consumer.resume()

    def starve(self, consumer: MqttConsumer) -> None:
        """The client takes nothing more for now: `consumer` waits for that."""
        if self._starved is None:
            self._starved = []
        if consumer not in self._starved:
            self._starved.append(consumer)

    # Sending

    def send(self, packet: ConnAck | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth, text: str = "") -> None:
        """Send a packet that is no PUBLISH.  text: for its reason string, where the client wants one."""
        encoded = self.encoded(packet, text)
        if encoded is not None:
            self.outbox.write(encoded)

    def encoded(
        self,
        packet: ConnAck | PubAck | PubRec | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth,
        text: str = "",
    ) -> bytes | None:
        """The packet's bytes, as far as the client takes them (MQTT-3.1.2-29)."""
        if (
            text
            and self.level == versions.V5
            and (self.problem_information or isinstance(packet, ConnAck | Disconnect))
        ):
            packet.properties["reason_string"] = text.encode("utf-8", "replace").decode()[:1000].replace("\0", "?")
        return encode_within(packet, self.level, self.packet_bytes_max)

    def publish_packet(self, plan: Plan, message: Message, qos: int, packet_id: int) -> bytes:
        """A PUBLISH of QoS 0, whose flags and properties may need making."""
        if not message.properties.special and self.level != versions.V5:
            return join_publish(0, plan.topic, 0, b"", message.body)
        return self._packet_of(plan, message, None, duplicate=False)

    def _packet_of(self, plan: Plan, message: Message, outgoing: Outgoing | None, *, duplicate: bool) -> bytes:
        flags, properties = encode_delivery(
            plan, message, outgoing, level=self.level, duplicate=duplicate, now_ms=self.broker.now_ms
        )
        topic = plan.topic
        if self.alias_max and self.level == versions.V5:
            if plan.alias:
                topic = b""
                properties = with_alias(properties, plan.alias)
            elif self._aliases_given < self.alias_max and len(topic) > 1:
                self._aliases_given += 1
                plan.alias = self._aliases_given
                properties = with_alias(properties, plan.alias)
        packet_id = outgoing.packet_id if outgoing is not None else 0
        return join_publish(flags, topic, packet_id, properties, message.body)

    def send_outgoing(self, outgoing: Outgoing, plan: Plan, *, duplicate: bool) -> None:
        """Send a message of QoS 1 or 2; one that is too large for the client is done with (MQTT-3.1.2-25)."""
        if outgoing.message is None:
            return
        outgoing.state = SENT
        alias = plan.alias
        packet = self._packet_of(plan, outgoing.message, outgoing, duplicate=duplicate)
        if len(packet) > self.packet_bytes_max:
            if plan.alias != alias:
                self._aliases_given -= 1
                plan.alias = 0
            self.session.acknowledge(outgoing.packet_id)
            self._window_opened()
            return
        self.outbox.write(packet)
        self.sent_count += 1

    def send_waiting(self, outgoing: Outgoing, plan: Plan) -> None:
        """Its packet identifier is on disk: send it, if it still is to be sent."""
        if not self._closed and self.session.outgoing.get(outgoing.packet_id) is outgoing:
            self.send_outgoing(outgoing, plan, duplicate=False)

    # The session's subscriptions

    def begin(self, session: MqttSession) -> None:
        """CONNACK is sent: send again what an earlier connection left, then what waits in the queues."""
        self.session = session
        self._resending = deque(session.outgoing.values()) or None
        self._resend()
        for subscription in session.subscriptions.values():
            self.has_no_local = self.has_no_local or subscription.no_local
            self._consume(subscription)

    def _resend(self) -> None:
        """In the order of the first time (MQTT-4.6.0-1), as far as the client takes them."""
        resending = self._resending
        while resending and self.window > 0:
            outgoing = resending[0]
            if self.session.outgoing.get(outgoing.packet_id) is outgoing:
                if outgoing.state == RELEASED_BY_CLIENT:
                    self.after_flush.send(short_answer(PUBREL, outgoing.packet_id), stored=False)
                else:
                    self._send_again(outgoing)
                self.window -= 1
            resending.popleft()
        if not resending:
            self._resending = None

    def _send_again(self, outgoing: Outgoing) -> None:
        message = outgoing.message
        if message is None:
            return
        subscription = self.session.subscriptions.get(outgoing.source) if outgoing.source else None
        queue = outgoing.queue or self.session.queue
        plan = MqttConsumer(self, queue, subscription).plan_of(message) if queue is not None else None
        if plan is None or plan.qos < 0:
            plan = connecting.plan_without_subscription(message)
        self.send_outgoing(outgoing, plan, duplicate=True)

    def subscribed(self, subscription: MqttSubscription) -> None:
        """A subscription was added or replaced."""
        self.has_no_local = any(each.no_local for each in self.session.subscriptions.values())
        self._consume(subscription)

    def unsubscribed(self, subscription: MqttSubscription) -> None:
        """A subscription was taken away."""
        self.has_no_local = any(each.no_local for each in self.session.subscriptions.values())
        consumers = self._consumers or {}
        if subscription.is_own:
            own = consumers.get("")
            if own is not None:
                own.subscriptions_changed()
            return
        consumer = consumers.pop(subscription.filter, None)
        if consumer is not None:
            end_consumer(consumer)

    def _consume(self, subscription: MqttSubscription) -> None:
        consumers = self._consumers
        if consumers is None:
            consumers = self._consumers = {}
        key = "" if subscription.is_own else subscription.filter
        existing = consumers.get(key)
        if existing is not None:
            if not subscription.is_own:
                existing.subscription = subscription
            existing.subscriptions_changed()
            return
        queue = self.sessions.queue_of(self.session, subscription)
        if queue is None:
            return
        consumer = MqttConsumer(self, queue, None if subscription.is_own else subscription)
        queue.add_consumer(consumer)
        consumers[key] = consumer

    def queue_gone(self, consumer: MqttConsumer) -> None:
        """A queue was deleted under its consumer: a session without its queue can't go on (spec C.5)."""
        if self._consumers is not None:
            self._consumers.pop(consumer.tag, None)
        if self._closed or self.session.ended:
            return
        if consumer.subscription is None:
            self.session.queue = None
            self.session.end()
        self.disconnect(reason_codes.ADMINISTRATIVE_ACTION, f"{consumer.queue.description} was deleted")

    # Holding back under an alarm

    def _holds(self, kind: int) -> bool:
        if self._held is None:
            return kind == versions.PUBLISH and self.broker.alarms.blocked is not None
        return kind not in _ANSWERS

    def _hold(self, data: bytes, position: int, end: int) -> int:
        if data[position] >> 4 == versions.PUBLISH:
            peeked = peek_publish(data, position, end, self.level, self.settings.packet_bytes_max)
            stop = -1 if peeked is None else peeked[5]
        else:
            found = decode(data, position, end, self.level, self.settings.packet_bytes_max)
            stop = -1 if found is None else found[1]
        if stop < 0:
            return -1
        if self._held is None:
            self._held = []
        self._held.append(data[position:stop])
        before = self._held_bytes
        self._held_bytes += stop - position
        if before <= HELD_BYTES_MAX < self._held_bytes:
            self.transport.pause()
        return stop

    def alarms_changed(self) -> None:
        """Go on with what was held back, in order."""
        if self._known is not None:
            self._known.clear()
        held = self._held
        if self.broker.alarms.blocked is not None or held is None or self._closed:
            return
        paused = self._held_bytes > HELD_BYTES_MAX
        self._held = None
        self._held_bytes = 0
        self._tail = b"".join(held) + self._tail
        if paused and not self._suspended:
            self.transport.resume()
        self.receive(b"")

    # Phases

    def running(self, client: Client) -> None:
        """The login is through."""
        self.client = client
        self.state = "running"
        if self._keep_alive is not None:
            self._keep_alive.cancel()
            self._keep_alive = None
        if self.keep_alive_ms:
            self._keep_alive = self.broker.deadlines.schedule(
                self.broker.now_ms + self.keep_alive_ms * 3 // 2, self._check_alive
            )
        self.broker.alarms.listen(self.alarms_changed)

    def _check_alive(self, now_ms: int) -> None:
        """One and a half intervals without a byte end the connection (MQTT-3.1.2-22); our own pauses don't count."""
        due_ms = self.received_at_ms + self.keep_alive_ms * 3 // 2
        if self._suspended or self._held is not None:
            due_ms = now_ms + self.keep_alive_ms
        if due_ms > now_ms:
            self._keep_alive = self.broker.deadlines.schedule(due_ms, self._check_alive)
            return
        _log.info("connection %s (client '%s'): keep-alive timeout", self.name, self.client_id)
        self.disconnect(reason_codes.KEEP_ALIVE_TIMEOUT, "nothing came for one and a half keep-alive intervals")

    def _login_expired(self, now_ms: int) -> None:
        if self.client is None and not self._closed:
            _log.info("connection %s: no login within %d ms", self.name, self.settings.login_timeout_ms)
            self._close()

    def _disconnected(self, packet: Disconnect) -> None:
        """The client says goodbye; its will is published only if it says so (MQTT-3.1.2-8, -10)."""
        expiry_s = packet.properties.get("session_expiry_interval")
        if expiry_s is not None and self.client is not None:
            if expiry_s and not self.session_expiry_s:
                raise ProtocolViolation(
                    reason_codes.PROTOCOL_ERROR,
                    "3.14.2.2.2",
                    "a session that ends with its connection can't outlive it",
                )
            expiry_s = connecting.effective_expiry_s(self.settings, expiry_s)
            self.session.expiry_s = self.session_expiry_s = expiry_s
        self._end(publish_will=packet.reason_code != reason_codes.NORMAL_DISCONNECTION)
        self._close()

    def taken_over(self) -> None:
        """Another connection of the same client came (MQTT-3.1.4-3)."""
        self.disconnect(reason_codes.SESSION_TAKEN_OVER, "another connection uses this client identifier")

    def disconnect(self, reason_code: int, text: str) -> None:
        """End the connection from our side: DISCONNECT where there is one, then close."""
        if self._closed:
            return
        if self.level == versions.V5 and self.state == "running":
            self.send(Disconnect(reason_code), text)
        self._end(publish_will=True)
        self._close()

    def _refuse(self, reason_code: int, text: str, level: int = versions.UNKNOWN) -> None:
        """What came is wrong: say so in CONNACK or DISCONNECT, and close."""
        _log.warning("connection %s (client '%s'): %s", self.name, self.client_id, text)
        if self.state == "connecting":
            self.level = self.level or level
            if self.level != versions.UNKNOWN:
                self.send(ConnAck(reason_code), text)
            self._close()
            return
        self.disconnect(reason_code, text)

    def _close(self) -> None:
        self._closed = True
        self.state = "closed"
        self.transport.close()

    def _end(self, *, publish_will: bool) -> None:
        """Everything that dies with the socket; a second call does nothing."""
        for deadline in (self._keep_alive, self._close_deadline):
            if deadline is not None:
                deadline.cancel()
        self._keep_alive = self._close_deadline = None
        client, self.client = self.client, None
        if client is None:
            self._closed = True
            return
        self._closed = True
        self.state = "closed"
        self.broker.alarms.unlisten(self.alarms_changed)
        self.broker.mqtt.publish_sent += self.sent_count
        self.after_flush.clear()
        consumers, self._consumers = self._consumers, None
        for consumer in (consumers or {}).values():
            end_consumer(consumer)
        self._starved = self._resending = self._held = self._known = None
        session = self.session
        if session.holder is self:
            session.detach()
        if publish_will and self.will is not None:
            self._leave_will(self.will)
        self.will = None
        end_client(client)

    def _leave_will(self, will: WillMessage) -> None:
        delay_s = min(self.will_delay_s, self.session_expiry_s)
        if delay_s and not self.session.ended:
            self.sessions.wills.put(self.client_id, will, self.broker.now_ms + delay_s * 1000)
        else:
            self.sessions.publish_will(will)

    def _suspend(self) -> None:
        """The peer doesn't read its replies: take no packets until it does, and cut it off if it never does."""
        self._suspended = True
        self.transport.pause()
        room = self.outbox.room
        self._close_deadline = self.broker.deadlines.schedule(
            self.broker.now_ms + self.settings.unread_timeout_ms, lambda now_ms: self._cut_off_unless_read(room)
        )

    def _cut_off_unless_read(self, room: int) -> None:
        if not self._suspended or self._closed:
            return
        if self.outbox.room > room:
            self._suspend()
            return
        _log.warning("connection %s: peer has not read its replies; cutting it off", self.name)
        self.transport.abort()

    # Listings

    @property
    def held_back(self) -> bool:
        """True while an alarm holds this connection's publishes."""
        return self._held is not None

    @property
    def consumer_count(self) -> int:
        """Queues that it consumes from."""
        return len(self._consumers or ())

    def describe(self) -> dict[str, object]:
        """The columns of list_connections."""
        return describe_connection(self)

    def describe_channels(self) -> list[dict[str, object]]:
        """The columns of list_channels: a connection is one."""
        return [describe_channel(self)] if self.client is not None else []

    def ack_holders(self) -> Iterable[AckHolder]:
        """None: MQTT has no time limit for acknowledgements; the keep-alive ends connections that are gone."""
        return ()
