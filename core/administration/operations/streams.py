"""Operations on streams: a look at a part of one, what they note of readers and publishers, and groups of single
active consumers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.operations import vhosts
from warren.core.administration.steps import Steps
from warren.core.declaring.actor import Administrator
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.queues.browse import EVERYTHING, MessageFilter
from warren.core.queues.stream.arguments import OFFSET, At, Wanted, offset_value, wanted
from warren.core.queues.stream.queue import StreamQueue
from warren.core.queues.stream.reader import Reader

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.streams.groups import Group

LOOKED_AT_ONCE: Final = 200
"""Messages in one slice, some 20 µs each."""

BYTES_AT_ONCE: Final = 4 << 20
"""Of bodies, in one slice: a few milliseconds."""

PAGE_BYTES_MAX: Final = 16 << 20
"""Of bodies on a page; a single larger one is a page."""


class Part(NamedTuple):
    """Messages of a stream as they were found; each is at the offset `sequence`, and `published_at_ms` is when its
    chunk was stored.  following: the offset to go on from.  first, end: the first offset that is kept, and the one
    behind the last, when the part was complete."""

    messages: list[Message]
    following: int
    first: int
    end: int


class Noted(NamedTuple):
    """kind: `writer` or `offset`.  value: the last publishing id, or the offset."""

    kind: str
    reference: str
    value: int


def existing(broker: Broker, vhost: str, name: str) -> StreamQueue:
    """The stream of this name; NotFound when there is none, PreconditionFailed for a queue of another type."""
    queue = vhosts.existing(broker, vhost).queue(name)
    if not isinstance(queue, StreamQueue):
        raise PreconditionFailed(f"{queue.description} is of type {queue.type_name}, not a stream")
    return queue


def part(
    broker: Broker,
    vhost: str,
    name: str,
    *,
    begin: str = "first",
    before: int | None = None,
    count: int,
    matching: MessageFilter = EVERYTHING,
    user: User | str | None = None,
) -> Steps[Part]:
    """Look at up to `count` messages of a stream; nobody else's reading is touched.

    begin: where, as `offset_value` takes it.  before: the last ones before this offset, instead; all that is kept is
    before a large one.  matching: which of those from `begin` on; it may have to look at the whole stream, in slices.
    A part ends early once its bodies have `PAGE_BYTES_MAX`.  user: who has to have the permission to read the queue,
    None for the broker's owner.  Raises as `existing`, AccessRefused, and PreconditionFailed for what is no offset.
    """
    queue = existing(broker, vhost, name)
    Administrator(queue.vhost, user).check("queue", name, "read")
    log = queue.log
    if before is None:
        asked, end = wanted(queue.description, {OFFSET: offset_value(begin)}), None
    else:
        end = min(before, log.end_offset)
        asked = Wanted(At(max(log.first_offset, end - count)))
    return Steps(_part(queue, asked, end, count, matching))


def tracking(broker: Broker, vhost: str, name: str) -> list[Noted]:
    """What a stream has noted, the longest ago first.  Raises as `existing`."""
    noted = existing(broker, vhost, name).log.tracking
    return [Noted("offset", _text(reference), offset) for reference, offset in noted.offsets.items()] + [
        Noted("writer", _text(reference), publishing_id) for reference, (publishing_id, _) in noted.sequences.items()
    ]


def reset_offset(broker: Broker, vhost: str, name: str, reference: str) -> None:
    """Have a reader begin at 0 again.  Raises as `existing`, and NotFound for a reader that the stream doesn't know."""
    queue = existing(broker, vhost, name)
    reader = reference.encode("utf-8", "surrogateescape")
    if queue.stored_offset(reader) is None:
        raise NotFound(f"{queue.description} has no offset of '{reference}'")
    queue.store_offset(reader, 0)


def group(broker: Broker, vhost: str, stream: str, reference: str) -> Group:
    """A group of single active consumers.  Raises NotFound."""
    return broker.stream_groups.find(vhosts.existing(broker, vhost).name, stream, reference)


def activate(broker: Broker, vhost: str, stream: str, reference: str) -> None:
    """Have it decided again who is active, whatever the group waits for.  Raises NotFound."""
    group(broker, vhost, stream, reference).activate()


def _part(
    queue: StreamQueue, asked: Wanted, end: int | None, count: int, matching: MessageFilter
) -> Generator[None, None, Part]:
    log, reader = queue.log, Reader(queue, asked, queue.vhost.broker.now_ms)
    found: list[Message] = []
    following: int | None = asked.offset.offset if isinstance(asked.offset, At) else None
    size = looked = read_bytes = 0
    while len(found) < count and size < PAGE_BYTES_MAX:
        if looked >= LOOKED_AT_ONCE or read_bytes >= BYTES_AT_ONCE:
            looked = read_bytes = 0
            yield
            # It may have been deleted meanwhile.
            if queue.vhost.queue(queue.name) is not queue:
                break
        message = reader.next()
        if message is None:
            if not reader.is_behind:
                following = log.end_offset if end is None else end
                break
            looked = LOOKED_AT_ONCE
            continue
        if end is not None and message.sequence >= end:
            following = end
            break
        looked += 1
        read_bytes += message.body_size
        following = message.sequence + 1
        if matching.matches(message):
            found.append(message)
            size += message.body_size
    return Part(found, log.end_offset if following is None else following, log.first_offset, log.end_offset)


def _text(reference: bytes) -> str:
    return reference.decode("utf-8", "surrogateescape")
