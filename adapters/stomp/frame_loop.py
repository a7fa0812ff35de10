"""The loop over the frames of a read.

Theory of operation
-------------------
`parse` is one function, as it runs for every message.  It knows by heart a SEND whose head was seen before in this
session (known_sends.py), which saves parsing, checking and routing it again.  Everything else, and every frame that
doesn't lie whole in the read, goes through the parser (parser.py) and the session's `frame`, which is also where every
error comes from.

A known SEND in the buffer (STOMP 1.2, "STOMP Frames"):

    position     SEND LF name:value LF ... name:value        what is looked up: command and headers
    head_stop    LF LF                                       the end of the last line, and the empty line
    body_at      the body                                    as long as content-length says, else to the first NUL
    stop         NUL

and then maybe line feeds, which the parser skips (heart-beats are nothing else).  A head that isn't known may be so
without the line of its receipt, which is answered as the parser's way does.  A message keeps a copy of its body
alone, as it goes to consumers of all protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.codec.frames import SEND
from warren.adapters.stomp.known_sends import END_OF_HEAD, KNOWN_HEAD_BYTES_MAX, RECEIPT_LINE, KnownSend
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession


def parse(session: StompSession, data: bytes) -> int:
    """Handle all frames that are whole; the position of what is left when the session takes no more of them."""
    end = len(data)
    position = 0
    parser = session.parser
    broker = session.broker
    known = session.known.now()
    # SENDs in a row that go the same way are counted together: so many as sequence numbers were given since.
    row: KnownSend | None = None
    row_from = 0
    # So are those of one size, whatever their way.
    counted: KnownSend | None = None
    sizes: dict[int, int] = {}
    last_size = 0
    size_from = broker.sequence
    receipt = b""
    try:
        while position < end and session.takes_frames:
            start = -1
            if parser.idle:
                whole_max = min(parser.frame_bytes_max, parser.body_bytes_max)
                # What begins with the same head as two before it is looked up no more.
                last: KnownSend | None = None
                alike = b""
                alike_bytes = 0
                while position < end:
                    if last is not None and alike and data[position : position + alike_bytes] == alike:
                        send = last
                        body_at = position + alike_bytes
                    else:
                        head_stop = data.find(END_OF_HEAD, position, position + KNOWN_HEAD_BYTES_MAX)
                        if head_stop < 0:
                            break
                        found = known.get(data[position:head_stop])
                        if found is None:
                            line = RECEIPT_LINE.search(data, position, head_stop)
                            if line is None:
                                break
                            found = known.get(data[position : line.start()] + data[line.end() : head_stop])
                            if found is None:
                                break
                            receipt = line[1]
                            last = None
                        body_at = head_stop + 2
                        alike = data[position:body_at] if found is last else b""
                        alike_bytes = len(alike)
                        last = send = found
                    size = send.body_size
                    if size >= 0:
                        stop = body_at + size
                        if stop >= end or data[stop]:
                            break
                    else:
                        stop = data.find(b"\0", body_at)
                        if stop < 0 or stop - position > whole_max:
                            break
                        size = stop - body_at
                    if send is not row:
                        if row is not None:
                            row.published(broker.sequence - row_from)
                        else:
                            size_from = broker.sequence
                        row = send
                        row_from = broker.sequence
                    if size != last_size:
                        sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
                        last_size = size
                        size_from = broker.sequence
                    broker.sequence = sequence = broker.sequence + 1
                    message = Message(
                        sequence,
                        send.address,
                        send.properties,
                        data[body_at:stop],
                        0,
                        size,
                        0,
                        broker.now_ms,
                    )
                    for queue in send.queues:
                        queue.append(message)
                    if send.store_ids:
                        broker.store.append(message, send.store_ids)
                    position = stop + 1
                    if receipt:
                        session.confirm(receipt.decode(), stored=bool(send.store_ids) or send.kept)
                        receipt = b""
                        last = None
                        if not session.takes_frames:
                            return position
                start = position
                receipt = b""
            frame, position = parser.next(data, position)
            if frame is None:
                break
            if frame.command == SEND and not parser.friendly:
                session.known.comes(frame, data, start)
            else:
                session.known.comes_late()
            if row is not None:
                row.published(broker.sequence - row_from)
                counted, row = row, None
                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
            session.frame(frame)
            known = session.known.now()
    finally:
        if row is not None:
            row.published(broker.sequence - row_from)
            counted = row
            sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
        if counted is not None:
            counted.counts.sizes.add_all(sizes)
    return position
