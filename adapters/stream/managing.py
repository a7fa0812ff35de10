"""Create, Delete, Metadata, StreamStats, ResolveOffsetSpec: streams as such (spec H.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.commands import (
    BrokerAddress,
    Create,
    Delete,
    Metadata,
    MetadataAnswer,
    ResolveOffsetSpec,
    ResolveOffsetSpecAnswer,
    StreamMetadata,
    StreamStats,
    StreamStatsAnswer,
)
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.opening import advertised
from warren.adapters.stream.streams import stream_of
from warren.adapters.stream.subscribing import wanted_of
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.messages.field_table import encode_table
from warren.core.queues.stream.queue import StreamQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.stream.session import StreamSession
    from warren.core.messages.field_table import FieldValue

NO_BROKER: Final = 0xFFFF
"""The reference of a leader that there isn't."""

_NUMBERS: Final = {
    "max-length-bytes": "x-max-length-bytes",
    "stream-max-segment-size-bytes": "x-stream-max-segment-size-bytes",
    "stream-filter-size-bytes": "x-stream-filter-size-bytes",
    "initial-cluster-size": "x-initial-cluster-size",
}
_TEXTS: Final = {"max-age": "x-max-age", "queue-leader-locator": "x-queue-leader-locator"}
"""What Create calls the arguments of a queue."""

DIGITS_MAX: Final = 19
"""Of a number among them: the largest of 64 bits."""


def arguments_of(given: Mapping[str, str]) -> dict[str, FieldValue]:
    """The arguments of a stream, as declarations have them; others than these are left out, as by RabbitMQ.

    Raises Refused for a number that is none.
    """
    arguments: dict[str, FieldValue] = {"x-queue-type": "stream"}
    for name, text in given.items():
        if name in _NUMBERS:
            if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
                raise Refused(Code.PRECONDITION_FAILED, f"{name} is '{text[:40]}', which is no number")
            arguments[_NUMBERS[name]] = int(text)
        elif name in _TEXTS:
            arguments[_TEXTS[name]] = text
    return arguments


def create(session: StreamSession, command: Create) -> None:
    """Make a stream; one that is there already isn't made again, however it was declared."""
    client = session.logged_in
    arguments = arguments_of(command.arguments)
    if not command.stream.strip():
        raise Refused(Code.PRECONDITION_FAILED, "a stream has a name")
    there = client.vhost.queues.get(command.stream)
    declare_queue(client, command.stream, durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
    session.broker.unkept.hold(session.outbox)
    if there is not None:
        raise Refused(Code.STREAM_EXISTS, f"there is {there.description} already")
    session.ok(command)


def delete(session: StreamSession, command: Delete) -> None:
    """Delete a stream; its publishers and subscribers are told behind the answer."""
    client = session.logged_in
    client.check("queue", command.stream, "configure")
    queue = client.vhost.queues.get(command.stream)
    if not isinstance(queue, StreamQueue):
        raise Refused(Code.NO_STREAM, f"there is no stream '{command.stream}'")
    client.check_owner(queue)
    session.ok(command)
    session.broker.unkept.hold(session.outbox)
    delete_queue(client, command.stream)


def metadata(session: StreamSession, command: Metadata) -> None:
    """Where streams are: here, whatever is asked for that there is."""
    vhost = session.logged_in.vhost
    host, port = advertised(session)
    found = []
    for name in dict.fromkeys(command.streams):
        if isinstance(vhost.queues.get(name), StreamQueue):
            found.append(StreamMetadata(name, Code.OK, 0, []))
        else:
            found.append(StreamMetadata(name, Code.NO_STREAM, NO_BROKER, []))
    session.send(MetadataAnswer(command.correlation_id, [BrokerAddress(0, host, port)], found))


def stream_stats(session: StreamSession, command: StreamStats) -> None:
    """The offsets of a stream; -1 where nothing is in it."""
    log = stream_of(session, command.stream, "read").log
    is_empty = log.end_offset == log.first_offset
    stats = {
        "first_chunk_id": -1 if is_empty else log.first_offset,
        "last_chunk_id": -1 if is_empty else log.last_chunk_offset,
        "committed_chunk_id": -1 if is_empty else log.last_chunk_offset,
        "committed_offset": -1 if is_empty else log.end_offset - 1,
    }
    session.send(StreamStatsAnswer(command.correlation_id, Code.OK, stats))


def resolve_offset_spec(session: StreamSession, command: ResolveOffsetSpec) -> None:
    """The offset that a subscription with this one would begin at: that of a chunk, or of what is to come."""
    queue = stream_of(session, command.stream, "read")
    offset = queue.first_offset_for(wanted_of(command.offset, command.properties or {}))
    session.send(ResolveOffsetSpecAnswer(command.correlation_id, Code.OK, OffsetType.OFFSET, offset))
