"""From a read's bytes to handled packets.

`parse` first sees to the login, packet by packet, and then is one loop over the packets of a read.  The loop knows by
heart a PUBLISH of QoS 0 or 1, without properties or flags, to a topic that this client published to before (inflow.py),
and PUBACKs of four bytes.  After two messages to one topic and of one length, what begins with the same bytes up to
its payload (QoS 1, in MQTT 3: up to its packet identifier) is published without another look at them, and the answers
to a row are one piece.  Everything else goes through the codec and `_packet`, which is
also where every error comes from.

    PUBLISH   30 or 32, length, topic length (2), topic, [32: packet identifier (2)], [MQTT 5: property length], payload
    PUBACK    40 02, packet identifier (2)

30 is a PUBLISH of QoS 0, 32 of QoS 1, neither a duplicate nor to be retained (3.3.1).  The length counts what follows
it, in one byte to 7F, in two to FF 7F with the low seven bits first (1.5.5).  Longer ones take the codec's way, and so
does what has properties: their length is more than 0.  The loop has these bytes as numbers, for no name's look-up.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt import subscribing
from warren.adapters.mqtt.acknowledging import acknowledged, acknowledged_row, completed, received, released
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import decode, find_body
from warren.adapters.mqtt.codec.encode import PINGRESP
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import (
    Auth,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
)
from warren.adapters.mqtt.codec.publish import peek_publish
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.sender import check_from_client
from warren.adapters.mqtt.codec.short_answers import ANSWER_BYTES
from warren.adapters.mqtt.holding_back import packet_end
from warren.adapters.mqtt.plan import FRAMED_FOR_LEVEL
from warren.adapters.mqtt.publish_rows import (
    answers_of_row,
    length_of_row,
    publish_row_at_least_once,
    publish_row_at_most_once,
    without_properties,
)
from warren.adapters.mqtt.publishing import publish
from warren.adapters.mqtt.settings import PACKET_BYTES_MAX_BEFORE_LOGIN
from warren.adapters.session.ration import QUICK_PER_COMMAND
from warren.core.access.answers import Unanswered

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.running import Running
    from warren.core.routing.known_routes import KnownRoute

SLICE_BYTES: Final = 32 * 1024
"""Handled between two looks at what it was: the loop doesn't count what it knows by heart, and 8,192 acknowledgements
in so many bytes are the ration of a turn."""


SUBSCRIPTION_BYTES: Final = 8
"""The least that one filter takes in SUBSCRIBE, or little more, for counting how much is done in a turn."""


_DURING_LOGIN: Final = (versions.AUTH, versions.DISCONNECT)
"""What may come behind a CONNECT whose login has several steps; others aren't even looked at."""


def parse(connection: MqttConnection, data: bytes) -> int:
    """Handle all packets that are whole, as far as the ration goes; the position of what is left."""
    position = 0
    ration = connection.ration
    ration.begin()
    if connection.running is None:
        position = _log_in(connection, data)
    end = stop = len(data)
    if end - position > SLICE_BYTES:
        stop = position + SLICE_BYTES
    while (
        (running := connection.running) is not None
        and position < end
        and ration.left > 0
        and not (connection.is_unread or connection.is_working)
    ):
        before = position
        position = _parse_slice(connection, running, data, position, stop)
        if stop == end:
            break
        stop = min(position + SLICE_BYTES if position > before else 2 * stop - position, end)
    return position


def _parse_slice(connection: MqttConnection, running: Running, data: bytes, position: int, end: int) -> int:
    """Handle the packets that end before `end`; the position of what is left."""
    broker = connection.broker
    agreed = connection.answers.agreed
    level = agreed.level
    packet_max = connection.settings.packet_bytes_max
    plain_framed = FRAMED_FOR_LEVEL + max(level, versions.V3_1_1)
    is_v5 = level == versions.V5
    start = position
    in_rows = answered = acknowledgements = others = other_bytes = 0
    session = running.session
    known_topics = running.known_topics()
    others_max = connection.ration.left
    # PUBLISHes in a row that go the same way are counted together: so many as sequence numbers were given since.
    row: KnownRoute | None = None
    row_from = last_step = 0
    # So are those of one size, whatever their way.
    counted: KnownRoute | None = None
    sizes: dict[int, int] = {}
    last_size = 0
    size_from = broker.sequence
    # The answers to messages of QoS 1, and whether they wait for the disk.
    taken: list[bytes] = []
    taken_stored = False
    try:
        while position < end and not connection.closed and not connection.is_unread:
            first = data[position]
            if (first == 0x30 or first == 0x32) and end - position > 4 and known_topics:
                length = data[position + 1]
                at = position + 2
                if length > 0x7F:
                    length = length & 0x7F | (data[at] & 0x7F) << 7
                    at = at + 1 if 0 < data[at] < 0x80 else end
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
                            step = stop - position
                            body_at = body - position
                            alike = data[position:body] if known is row and step == last_step else b""
                            last_step = step
                            if known is not row:
                                if row is not None:
                                    in_rows += row.published(broker.sequence - row_from)
                                else:
                                    size_from = broker.sequence
                                row = known
                                row_from = broker.sequence
                            if step - body_at != last_size:
                                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
                                last_size = step - body_at
                                size_from = broker.sequence
                            count = length_of_row(data, position, end, step, alike)
                            publish_row_at_most_once(broker, known, data, position, count, step, body_at, plain_framed)
                            position += count * step
                            continue
                        packet_id = data[topic_end] << 8 | data[topic_end + 1]
                        if packet_id and (not is_v5 or (known.routed and packet_id not in session.inbound)):
                            if is_v5:
                                # What waits is counted message by message.
                                running.inflow.check_receive_maximum()
                            step = stop - position
                            is_next = known is row and step == last_step
                            if is_v5 and is_next:
                                # What waits for the disk counts against the receive maximum, one by one.
                                waits = known.store_ids or known.kept
                                is_next = not (waits or session.inbound or running.answers.waiting_count)
                            alike = data[position:topic_end] if is_next else b""
                            last_step = step
                            if known is not row:
                                if row is not None:
                                    in_rows += row.published(broker.sequence - row_from)
                                else:
                                    size_from = broker.sequence
                                row = known
                                row_from = broker.sequence
                            size = stop - body
                            if size != last_size:
                                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
                                last_size = size
                                size_from = broker.sequence
                            stored = len(known.store_ids) > 0 or known.kept
                            if taken and stored is not taken_stored:
                                _answer(running, taken, stored=taken_stored)
                                taken = []
                            taken_stored = stored
                            count = length_of_row(data, position, end, step, alike)
                            if is_v5 and count > 1:
                                count = without_properties(data, body - 1, count, step)
                            answers = answers_of_row(data, topic_end, count, step)
                            count = len(answers) // ANSWER_BYTES
                            publish_row_at_least_once(broker, known, data, position, count, step, size)
                            taken.append(answers)
                            answered += count
                            position += count * step
                            if is_v5:
                                _answer(running, taken, stored=stored)
                                taken = []
                            continue
            elif first == 0x40:
                if row is not None:
                    in_rows += row.published(broker.sequence - row_from)
                    counted, row = row, None
                    sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
                count = acknowledged_row(running.outflow, data, position, end)
                if count:
                    acknowledgements += count
                    position += 4 * count
                    continue
            if row is not None:
                in_rows += row.published(broker.sequence - row_from)
                counted, row = row, None
                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
            if taken:
                _answer(running, taken, stored=taken_stored)
                taken = []
            next_position = _next(connection, running, data, position, end)
            if next_position < 0:
                break
            others += 1
            if first >> 4 != versions.PUBLISH:
                other_bytes += next_position - position
            position = next_position
            if connection.is_working:
                break
            known_topics = running.known_topics()
            if others >= others_max or connection.ration.left <= 0:
                break
    finally:
        if row is not None:
            in_rows += row.published(broker.sequence - row_from)
            counted = row
            sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
        if counted is not None:
            counted.counts.sizes.add_all(sizes)
        if taken:
            _answer(running, taken, stored=taken_stored)
        if answered:
            running.client.counts.own.confirmed(answered)
    connection.ration.left -= others + (in_rows + answered + acknowledgements) // QUICK_PER_COMMAND
    world = running.answers.world
    world.packets_received += in_rows + acknowledgements + others
    world.publish_received += in_rows
    world.answers_sent += answered
    world.publish_bytes_received += position - start - 4 * acknowledgements - other_bytes
    return position


def _log_in(connection: MqttConnection, data: bytes) -> int:
    """Handle packets until the client is logged in; where the next one begins."""
    position = count = 0
    ration = connection.ration
    while position < len(data) and connection.running is None and not connection.closed and ration.left > 0:
        if connection.is_working:
            break
        ration.left -= 1
        level = connection.answers.agreed.level
        if level != versions.UNKNOWN and data[position] >> 4 not in _DURING_LOGIN:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR, "MQTT-3.1.2-30", "the login isn't through: only AUTH is allowed"
            )
        found = decode(data, position, len(data), level, PACKET_BYTES_MAX_BEFORE_LOGIN)
        if found is None:
            break
        packet, position = found
        count += 1
        if level == versions.UNKNOWN:
            if not isinstance(packet, Connect):
                raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-1", "the first packet is no CONNECT")
            connection.connect(packet)
            continue
        check_from_client(packet, level)
        if isinstance(packet, Auth):
            connection.authenticate(packet)
        elif isinstance(packet, Disconnect):
            connection.take_leave(packet)
    connection.answers.world.packets_received += count
    return position


def _answer(running: Running, taken: list[bytes], *, stored: bool) -> None:
    """Send these PUBACKs."""
    answers = taken[0] if len(taken) == 1 else b"".join(taken)
    running.answers.after_flush.send(answers, stored=stored, count=len(answers) // ANSWER_BYTES)


def _next(connection: MqttConnection, running: Running, data: bytes, position: int, end: int) -> int:
    """Handle the packet at `position`; where the next one begins, -1 when it isn't all there."""
    kind = data[position] >> 4
    level = connection.answers.agreed.level
    settings = connection.settings
    if running.must_wait(kind):
        stop = packet_end(data, position, end, level, settings.packet_bytes_max)
        if stop > 0:
            running.hold_back(data[position:stop], connection.alarms_changed)
        return stop
    if kind == versions.PUBLISH:
        peeked = peek_publish(data, position, end, level, settings.packet_bytes_max)
        if peeked is None:
            return -1
        flags, topic, packet_id, properties, payload_at, stop = peeked
        running.answers.world.publish_received += 1
        payload = data[payload_at:stop]
        ends = settings.disconnect_on_unauthorized
        try:
            publish(running.inflow, flags, topic, packet_id, properties, payload, refusal_ends=ends)
        except Unanswered as unanswered:
            again = partial(publish, running.inflow, flags, topic, packet_id, properties, payload, refusal_ends=ends)
            connection.work.when_answered(unanswered, again)
        return stop
    if kind == versions.CONNECT:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-2", "a second CONNECT")
    if kind == versions.SUBSCRIBE or kind == versions.UNSUBSCRIBE:
        return _subscribe_or_not(connection, running, data, position, end)
    found = decode(data, position, end, level, settings.packet_bytes_max)
    if found is None:
        return -1
    packet = found[0]
    check_from_client(packet, level)
    if isinstance(packet, Disconnect):
        connection.take_leave(packet)
    else:
        _packet(running, packet)
    return found[1]


def _subscribe_or_not(connection: MqttConnection, running: Running, data: bytes, position: int, end: int) -> int:
    """Handle a SUBSCRIBE or UNSUBSCRIBE, or begin to, if it is long; the position as of `_next`."""
    settings, level = connection.settings, connection.answers.agreed.level
    found = find_body(data, position, end, level, settings.packet_bytes_max)
    if found is None:
        return -1
    body, stop = found
    is_subscribe = data[position] >> 4 == versions.SUBSCRIBE
    subscriptions, answers = running.subscriptions, running.answers
    is_short = stop - body <= subscribing.SHORT_BYTES_MAX
    # A long one is read later: the reader keeps a copy of its own.
    reader = Reader(data, body, stop, level) if is_short else Reader(data[body:stop], 0, stop - body, level)
    if is_subscribe:
        slices = subscribing.long_subscribe(reader, subscriptions, answers, hide_refusals=settings.hide_refusals)
    else:
        slices = subscribing.long_unsubscribe(reader, subscriptions, answers)
    if is_short:
        for unanswered in slices:
            if unanswered is not None:
                connection.work.go_on_when_answered(unanswered, slices)
                return stop
        connection.did(1 + (stop - body) // SUBSCRIPTION_BYTES, subscribing.FILTERS_PER_SLICE)
    else:
        connection.work.begin(slices)
    return stop


def _packet(running: Running, packet: Packet) -> None:
    """Handle any packet but CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT."""
    if isinstance(packet, PubAck):
        acknowledged(running.outflow, packet.packet_id, packet.reason_code)
    elif isinstance(packet, PubRec):
        received(running.outflow, packet)
    elif isinstance(packet, PubRel):
        released(running.inflow, packet)
    elif isinstance(packet, PubComp):
        completed(running.outflow, packet)
    elif isinstance(packet, PingReq):
        running.answers.write(PINGRESP)
    elif isinstance(packet, Auth):
        running.authenticate(packet)
