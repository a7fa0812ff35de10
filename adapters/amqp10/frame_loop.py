"""The loop over the frames of a read.

Theory of operation
-------------------
`parse` goes frame by frame.  Two kinds come in rows, and are taken by heart as long as they are like the one before:
transfers of whole messages that differ from the last one of their link in the delivery's id and tag, and in the content
of a data section (publishing_link.py knows what stands in front of that, and where it leads); and dispositions that
accept and settle.  Everything else goes through `Connection.frame`, the cold path, which is also where every mistake
is found: what isn't quite as it should be isn't taken here.

Both begin alike (part 2, 2.3 and 2.7.5; u32 and so on are big-endian):

    size u32, data offset 2, type 0, channel u16 | 00 53 14, c0, size u8, count u8 | the list's values

    transfer       handle, delivery-id, delivery-tag (a0, size u8, the tag), then values of one byte each: message
                   format, settled, more and so on; behind the list, the payload
    disposition    true (41, as receiver), first, last or null, true (41, settled), accepted (00 53 24 45)

A uint is 43 for nothing, 52 and a byte, or 70 and four.  Where an id has four bytes and the next frame is as long, a
row is taken in steps of that length: what is before the id and behind the tag has to be the same, and the id the next.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec.constants import TAG_BYTES_MAX
from warren.adapters.amqp10.codec.framing import HEADER_BYTES, head_of
from warren.adapters.amqp10.publishing_link import PublishingLink
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.connection import Connection
    from warren.adapters.session.deliveries import Deliveries

_unpack_begin = Struct(">IHHIBB").unpack_from
_unpack_u32 = Struct(">I").unpack_from
_unpack_id_and_tag = Struct(">IH").unpack_from
_unpack_data_head = Struct(">IB").unpack_from

BEGIN_BYTES: Final = 14
"""Frame header, descriptor, and the sizes of a short list: what the loop needs to see."""

VALUES_AT: Final = 14
"""Where the values of the list begin in the frame."""

LIST_AT: Final = 13
"""From where the size of the list counts: its count is part of it."""

PLAIN_FRAME: Final = 0x0200
"""Data offset 2, type 0."""

TRANSFER_LIST: Final = 0x005314C0
DISPOSITION_LIST: Final = 0x005315C0
_LISTS: Final = (TRANSFER_LIST, DISPOSITION_LIST)

UINT_0: Final = 0x43
UINT_1: Final = 0x52
UINT_4: Final = 0x70
TRUE: Final = 0x41
NULL: Final = 0x40
TAG: Final = 0xA0

ID_BYTES: Final = 4

DATA_OF_SHORT: Final = 0x005375A0
DATA_OF_LONG: Final = 0x005375B0
SHORT_HEAD_BYTES: Final = 5
LONG_HEAD_BYTES: Final = 8
SHORT_BYTES_MAX: Final = 255

IDS: Final = 0xFFFF_FFFF

RANGE_MAX: Final = 1000
"""Deliveries that a disposition settles here and now; more are a matter of turns (adapters.session.deliveries)."""

_PLACES: Final = (
    (0x43, 0x40),
    (0x41, 0x42, 0x40),
    (0x42, 0x40),
    (0x40,),
    (0x40,),
    (0x42, 0x40),
    (0x42, 0x40),
    (0x41, 0x42, 0x40),
)
"""What may stand in the places of a transfer behind its tag: the format 0; settled; more, a settle mode, a state,
resume and aborted all as if they weren't there; batchable, which says nothing to us."""

_ACCEPTED: Final = (
    b"\x41\x00\x53\x24\x45",
    b"\x41\x00\x53\x24\xc0\x01\x00",
    b"\x41\x00\x53\x24\x45\x42",
    b"\x41\x00\x53\x24\x45\x41",
)
"""Settled, and accepted, and whether it is batchable: the ends of dispositions."""

_BATCHABLE_TAIL_BYTES: Final = 6


def parse(connection: Connection, data: bytes) -> int:
    """Handle the frames in what was read; how many bytes are done with."""
    at = 0
    end = len(data)
    while connection.takes_frames:
        if connection.sasl is not None and connection.sasl.awaits_header:
            if end - at < HEADER_BYTES and connection.sasl.may_be_header(data[at:]):
                break
            connection.sasl.header(data[at : at + HEADER_BYTES])
            at += HEADER_BYTES
            continue
        if end - at < HEADER_BYTES:
            break
        if end - at >= BEGIN_BYTES and connection.state == "running":
            size, plain, channel, begin, list_size, count = _unpack_begin(data, at)
            if plain == PLAIN_FRAME and begin in _LISTS and size <= end - at:
                session = connection.sessions.get(channel)
                if session is not None and list_size + LIST_AT <= size <= connection.frame_bytes_max:
                    stop = 0
                    try:
                        if begin == TRANSFER_LIST:
                            stop = _transfers(connection, session, data, at, size, list_size, count)
                        elif list_size + LIST_AT == size:
                            stop = _dispositions(connection, session, data, at, size, count)
                    except IndexError:
                        stop = 0
                    if stop > at:
                        at = stop
                        continue
        size, body_at, kind, channel = head_of(data, at, connection.frame_bytes_max)
        if at + size > end:
            break
        connection.frame(kind, channel, data, body_at, at + size)
        at += size
    return at


def _transfers(
    connection: Connection, session: AmqpSession, data: bytes, at: int, size: int, list_size: int, count: int
) -> int:
    """Publish a row of messages that are as the last one of their link; where it ends, 0 if there is none."""
    place = at + VALUES_AT
    code = data[place]
    handle = 0
    if code == UINT_0:
        place += 1
    elif code == UINT_1:
        handle = data[place + 1]
        place += 2
    else:
        return 0
    link = session.links.get(handle)
    if not isinstance(link, PublishingLink):
        return 0
    known = link.known
    most = min(link.credit, session.incoming_window)
    if known is None or most <= 0 or link.has_begun or known.version != session.client.vhost.version:
        return 0
    id_at = place + 1
    code = data[place]
    delivery_id = 0
    if code == UINT_4:
        delivery_id = _unpack_u32(data, id_at)[0]
        place += 5
    elif code == UINT_1:
        delivery_id = data[id_at]
        place += 2
    elif code == UINT_0:
        place += 1
    else:
        return 0
    if data[place] != TAG or data[place + 1] > TAG_BYTES_MAX:
        return 0
    is_wide = code == UINT_4
    tag_form = TAG << 8 | data[place + 1]
    rest_at = place + 2 + data[place + 1]
    stop = at + size
    payload_at = at + LIST_AT + list_size
    rest = data[rest_at:payload_at]
    if rest_at > payload_at or count != 3 + len(rest):
        return 0
    settled = link.forms.get(rest)
    if settled is None:
        settled = _settled_by(rest, presettled=link.presettled)
        if settled is None:
            return 0
        link.forms[rest] = settled
    if (link.remembers and not settled) or not data.startswith(known.head, payload_at):
        return 0
    content_at = payload_at + len(known.head) + SHORT_HEAD_BYTES
    if content_at > stop:
        return 0
    data_list, body_size = _unpack_data_head(data, content_at - SHORT_HEAD_BYTES)
    if data_list == DATA_OF_LONG:
        content_at += LONG_HEAD_BYTES - SHORT_HEAD_BYTES
        if content_at > stop:
            return 0
        body_size = _unpack_u32(data, content_at - ID_BYTES)[0]
        if body_size <= SHORT_BYTES_MAX:
            return 0
    elif data_list != DATA_OF_SHORT:
        return 0
    if content_at + body_size != stop or body_size > connection.settings.message_bytes_max:
        return 0
    # It is one of a row.
    broker = connection.broker
    store = broker.store
    properties = known.properties
    address = known.address
    queues = known.queues
    store_ids = known.store_ids if properties.persistent else ()
    now_ms = broker.now_ms
    row = data[at:id_at] if is_wide else b""
    behind_tag = data[rest_at:content_at]
    id_offset = id_at - at
    rest_offset = rest_at - at
    content_offset = content_at - at
    end = len(data)
    row_bytes, behind_bytes = len(row), len(behind_tag)
    taken = 0
    while True:
        broker.sequence = sequence = broker.sequence + 1
        message = Message(sequence, address, properties, data[at + content_offset : at + size], 0, body_size, 0, now_ms)
        for queue in queues:
            queue.append(message)
        if store_ids:
            store.append(message, store_ids)
        taken += 1
        at += size
        if (
            not row
            or taken >= most
            or end - at < size
            or data[at : at + row_bytes] != row
            or data[at + rest_offset : at + rest_offset + behind_bytes] != behind_tag
        ):
            break
        next_id, next_form = _unpack_id_and_tag(data, at + id_offset)
        if next_id != delivery_id + taken or next_form != tag_form:
            break
    session.incoming(taken)
    link.came(taken)
    known.published(taken)
    known.counts.sizes.add(body_size, taken)
    connection.count_quick(taken)
    first = -1 if settled else delivery_id
    if store_ids or known.kept:
        session.safe.accept_all_after_flush(link, first, taken)
    else:
        session.safe.accept_all(link, first, taken)
    return at


def _settled_by(rest: bytes, *, presettled: bool) -> bool | None:
    """Whether a transfer with these values behind its tag comes settled; None where it isn't of the usual kind."""
    if len(rest) > len(_PLACES):
        return None
    for code, allowed in zip(rest, _PLACES, strict=False):
        if code not in allowed:
            return None
    return presettled or (len(rest) > 1 and rest[1] == TRUE)


def _dispositions(connection: Connection, session: AmqpSession, data: bytes, at: int, size: int, count: int) -> int:
    """Take a row of dispositions that accept and settle; where it ends, 0 if there is none."""
    place = at + VALUES_AT
    stop = at + size
    if data[place] != TRUE:
        return 0
    first_at = place + 2
    code = data[place + 1]
    first = 0
    if code == UINT_4:
        first = _unpack_u32(data, first_at)[0]
        place += 6
    elif code == UINT_1:
        first = data[first_at]
        place += 3
    elif code == UINT_0:
        place += 2
    else:
        return 0
    is_wide = code == UINT_4
    code = data[place]
    last = first
    if code == NULL:
        place += 1
    elif code == UINT_4:
        last = _unpack_u32(data, place + 1)[0]
        place += 5
    elif code == UINT_1:
        last = data[place + 1]
        place += 2
    elif code == UINT_0:
        last = 0
        place += 1
    else:
        return 0
    tail = data[place:stop]
    if tail not in _ACCEPTED or count != (5 if tail[-1] == 0 or tail[-1] == 0x45 else _BATCHABLE_TAIL_BYTES):
        return 0
    deliveries = session.deliveries
    newest = deliveries.delivery_tag
    if first != last:
        number = ((last - first) & IDS) + 1
        if number > RANGE_MAX:
            return 0
        tag = newest - ((newest - 1 - first) & IDS)
        _acknowledge(deliveries, tag, number)
        connection.count_quick(number)
        return stop
    row = data[at:first_at] if is_wide and code == NULL else b""
    behind = data[place - 1 : stop]
    first_offset = first_at - at
    behind_offset = first_offset + ID_BYTES
    end = len(data)
    row_bytes, behind_bytes = len(row), len(behind)
    taken = 0
    tag = newest - ((newest - 1 - first) & IDS)
    begun = 0
    while True:
        taken += 1
        at += size
        if (
            not row
            or end - at < size
            or data[at : at + row_bytes] != row
            or data[at + behind_offset : at + behind_offset + behind_bytes] != behind
        ):
            break
        first = _unpack_u32(data, at + first_offset)[0]
        if newest - ((newest - 1 - first) & IDS) != tag + taken - begun:
            _acknowledge(deliveries, tag, taken - begun)
            tag = newest - ((newest - 1 - first) & IDS)
            begun = taken
    _acknowledge(deliveries, tag, taken - begun)
    connection.count_quick(taken)
    return at


def _acknowledge(deliveries: Deliveries, tag: int, count: int) -> None:
    """So many deliveries from this one on are accepted, as far as they are there."""
    done = 0
    while done < count:
        # What it ends with isn't there.
        done += deliveries.acknowledge_run(tag + done, count - done) + 1
