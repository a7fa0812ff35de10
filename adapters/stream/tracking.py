"""What streams note of publishers and readers by reference: StoreOffset, QueryOffset, QueryPublisherSequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stream.codec.commands import (
    QueryOffset,
    QueryOffsetAnswer,
    QueryPublisherSequence,
    QueryPublisherSequenceAnswer,
    StoreOffset,
)
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.publishers import REFERENCE_BYTES_MAX
from warren.adapters.stream.streams import stream_of

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession


def reference_of(text: str) -> bytes:
    """A reference, as streams keep it.  Raises Refused for one that is empty or too long."""
    reference = text.encode("utf-8", "surrogateescape")
    if not 0 < len(reference) <= REFERENCE_BYTES_MAX:
        raise Refused(Code.PRECONDITION_FAILED, f"a reference has from 1 to {REFERENCE_BYTES_MAX} bytes")
    return reference


def store_offset(session: StreamSession, command: StoreOffset) -> None:
    """Keep where a reader is; nothing is answered."""
    reference = reference_of(command.reference)
    stream_of(session, command.stream, "read").store_offset(reference, command.offset)


def query_offset(session: StreamSession, command: QueryOffset) -> None:
    """Where a reader was."""
    reference = reference_of(command.reference)
    offset = stream_of(session, command.stream, "read").stored_offset(reference)
    if offset is None:
        session.send(QueryOffsetAnswer(command.correlation_id, Code.NO_OFFSET))
    else:
        session.send(QueryOffsetAnswer(command.correlation_id, Code.OK, offset))


def query_publisher_sequence(session: StreamSession, command: QueryPublisherSequence) -> None:
    """The last publishing id of a reference, 0 where it has published nothing."""
    reference = reference_of(command.reference)
    last = stream_of(session, command.stream, "read").last_publishing_id(reference)
    session.send(QueryPublisherSequenceAnswer(command.correlation_id, Code.OK, last or 0))
