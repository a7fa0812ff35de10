"""Publish: from a frame to the log of a stream, and to the answer (spec H.2).

What a frame holds goes to the stream as it came (codec/messages.py), in one step.  It is confirmed once it is on disk
(confirming.py); what isn't taken is told by its publishing ids and a code.  Where a batch is none that could be read
again, it and what stands behind it in the frame isn't taken, so that ids have no gap.

What is too much for one turn, very many messages or batches that have to be looked into (batches.py), is taken part by
part, as far as the session's ration goes in each turn, and nothing else of the session meanwhile.  A frame that is
malformed ends the connection, and nothing of it is stored: it is passed over to its end before its first part is taken.
"""

from __future__ import annotations

import logging
from struct import Struct, unpack
from typing import TYPE_CHECKING, Final, cast

from warren.adapters.stream.batches import Looking
from warren.adapters.stream.codec.encoding import HEAD
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import VERSION_1, VERSION_2, Code, Key
from warren.adapters.stream.codec.kinds import malformed
from warren.adapters.stream.codec.messages import ID_BYTES, OTHERS_PER_PART, Messages, parts_of, pass_over, take_apart
from warren.adapters.stream.refusals import refusal_of
from warren.core.access.answers import Unanswered
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from warren.adapters.session.long_work import Slices
    from warren.adapters.stream.publishers import Publisher
    from warren.adapters.stream.session import StreamSession

_log = logging.getLogger("warren.stream")

HEAD_BYTES: Final = 5
"""Of Publish, behind key and version: the publisher, and how many messages."""

IDS_PER_FRAME: Final = 8192
"""In one PublishConfirm or PublishError, which so has 80 KiB at most, however small the client's frames are."""

_IDS_HEAD: Final = Struct(">BI")


def publish(session: StreamSession, data: bytes, at: int, end: int, version: int) -> None:
    """The frame of which the part behind key and version is from `at` to `end`.

    Raises FrameError for what is no Publish, and Unanswered, after which it is to be called again.
    """
    if version not in (VERSION_1, VERSION_2):
        raise malformed(f"Publish has no version {version}")
    if at + HEAD_BYTES > end:
        raise malformed("Publish is cut off")
    publisher_id = data[at]
    count = int.from_bytes(data[at + 1 : at + HEAD_BYTES], "big")
    start = at + HEAD_BYTES
    filtered = version == VERSION_2
    if count > OTHERS_PER_PART:
        whole = pass_over(data, start, end, count, filtered=filtered)
        parts = parts_of(data, start, end, count, filtered=filtered)
        _begin(session, _in_slices(session, publisher_id, whole, parts))
        return
    messages = take_apart(data, start, end, count, filtered=filtered)
    if messages.batches or messages.largest > session.settings.message_bytes_max:
        _begin(session, _in_slices(session, publisher_id, (), [messages]))
        return
    session.ration.left -= messages.commands
    publisher = _publisher(session, publisher_id)
    if isinstance(publisher, Refused):
        refuse_ids(session, publisher_id, messages.ids, publisher)
    elif messages.entries:
        take(session, publisher, messages)


def _publisher(session: StreamSession, publisher_id: int) -> Publisher | Refused:
    """The publisher of this number, or why it may not publish; raises Unanswered."""
    publisher = session.publishers.get(publisher_id)
    if publisher is None:
        return Refused(Code.NO_PUBLISHER, f"there is no publisher {publisher_id}")
    if publisher.version != session.logged_in.vhost.version:
        try:
            publisher.check()
        except BrokerError as error:
            return refusal_of(error)
    return publisher


def _begin(session: StreamSession, slices: Slices) -> None:
    """Do the first slice now, and the others in turns to come."""
    try:
        unanswered = next(slices)
    except StopIteration:
        return
    if unanswered is None:
        session.asking_rights.begin(slices)
    else:
        session.asking_rights.go_on_when_answered(unanswered, slices)


def _in_slices(session: StreamSession, publisher_id: int, whole: Iterable[int], parts: Iterable[Messages]) -> Slices:
    """Take the parts of a frame, one after the other.  whole: the steps of seeing that it is as it should be."""
    ration = session.ration
    for commands in whole:
        ration.left -= commands
        if ration.left <= 0:
            yield None
            ration.begin()
    looking = Looking(session.settings.message_bytes_max)
    fault: Refused | None = None
    for part in parts:
        ration.left -= part.commands
        if ration.left <= 0:
            yield None
            ration.begin()
        publisher = yield from _answered(session, publisher_id)
        if isinstance(publisher, Refused) or fault is not None:
            refuse_ids(session, publisher_id, part.ids, fault or cast("Refused", publisher))
            continue
        right = yield from _right_of(session, part, looking)
        if looking.fault:
            fault = Refused(Code.PRECONDITION_FAILED, looking.fault)
            refuse_ids(session, publisher_id, part.ids[right * ID_BYTES :], fault)
            part = part.first(right)
        publisher = yield from _answered(session, publisher_id)
        if isinstance(publisher, Refused):
            refuse_ids(session, publisher_id, part.ids, publisher)
        elif part.entries:
            take(session, publisher, part)


def _answered(session: StreamSession, publisher_id: int) -> Generator[Unanswered | None, None, Publisher | Refused]:
    """As `_publisher`, when that is known."""
    while True:
        asked: Unanswered | None = None
        try:
            found = _publisher(session, publisher_id)
        except Unanswered as unanswered:
            asked = unanswered
        if asked is None:
            return found
        yield asked


def _right_of(session: StreamSession, part: Messages, looking: Looking) -> Generator[Unanswered | None, None, int]:
    """How many of these stand before the first that isn't taken; `looking` has its fault."""
    if not part.batches and part.largest <= session.settings.message_bytes_max:
        return len(part.entries)
    ration = session.ration
    for number, entry in enumerate(part.entries):
        for commands in looking.into(entry):
            ration.left -= commands
            if ration.left <= 0:
                yield None
                ration.begin()
        if looking.fault:
            return number
    return len(part.entries)


def take(session: StreamSession, publisher: Publisher, messages: Messages) -> None:
    """Append what is right, to be confirmed when it is on disk."""
    ids: tuple[int, ...] = ()
    confirmed = messages.ids
    publisher.published += len(confirmed) // ID_BYTES
    if publisher.reference:
        messages, ids = _without_duplicates(publisher, messages)
        if not ids:
            session.confirming.add(publisher, confirmed, 0)
            return
    records = messages.records
    publisher.queue.append_entries(
        messages.entries, records, messages.size_bytes, messages.values, publisher.reference, ids
    )
    counts = session.logged_in.counts.own
    counts.publish += records
    counts.vhost.counts.publish += records
    counts.sizes.add(messages.size_bytes // records, records)
    session.confirming.add(publisher, confirmed, records)


def _without_duplicates(publisher: Publisher, messages: Messages) -> tuple[Messages, tuple[int, ...]]:
    """Those whose ids are above all before them, as the stream knows them by the reference, and these ids.

    The others were stored before, so they are confirmed like these.
    """
    ids: tuple[int, ...] = unpack(f">{len(messages.entries)}Q", messages.ids)
    last = publisher.queue.last_publishing_id(publisher.reference)
    if last is None:
        last = -1
    fresh = []
    for number, id in enumerate(ids):
        if id > last:
            last = id
            fresh.append(number)
    if len(fresh) == len(ids):
        return messages, ids
    return messages.some(fresh), tuple([ids[number] for number in fresh])


def refuse_ids(session: StreamSession, publisher_id: int, ids: bytes, refusal: Refused) -> None:
    """Tell that these publishing ids aren't taken."""
    if not ids:
        return
    count = len(ids) // ID_BYTES
    publisher = session.publishers.get(publisher_id)
    if publisher is not None:
        publisher.published += count
        publisher.errored += count
    _log.info("connection %s: %d of Publish refused: %s: %s", session.name, count, refusal.code.name, refusal.text)
    session.broker.troubles.note(session.broker.now_ms, session.name, f"Publish: {refusal.code.name}: {refusal.text}")
    code = refusal.code.to_bytes(2, "big")
    each_bytes = ID_BYTES * IDS_PER_FRAME
    for at in range(0, len(ids), each_bytes):
        some = ids[at : at + each_bytes]
        told = b"".join([some[here : here + ID_BYTES] + code for here in range(0, len(some), ID_BYTES)])
        session.outbox.write(ids_frame(Key.PUBLISH_ERROR, publisher_id, len(some) // ID_BYTES, told))


def ids_frame(key: int, publisher_id: int, count: int, data: bytes) -> bytes:
    """The frame of PublishConfirm or PublishError."""
    head = _IDS_HEAD.pack(publisher_id, count)
    return HEAD.pack(4 + len(head) + len(data), key, VERSION_1) + head + data
