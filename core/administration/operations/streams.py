"""Operations on streams: what they note of readers and publishers, and groups of single active consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warren.core.administration.operations import vhosts
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.queues.stream.queue import StreamQueue

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.streams.groups import Group


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


def _text(reference: bytes) -> str:
    return reference.decode("utf-8", "surrogateescape")
