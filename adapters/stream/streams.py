"""The streams that clients name: found, with the rights that are needed, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.core.declaring.queues import accessible_queue
from warren.core.queues.stream.queue import StreamQueue

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession
    from warren.core.access.permissions import Verb


def stream_of(session: StreamSession, name: str, verb: Verb) -> StreamQueue:
    """The stream of this name, for an operation that needs the permission `verb` on it.

    Raises Refused (NO_STREAM) for a queue of another type, errors of the broker, and Unanswered.
    """
    queue = accessible_queue(session.logged_in, name, verb)
    if not isinstance(queue, StreamQueue):
        raise Refused(Code.NO_STREAM, f"{queue.description} is of type {queue.type_name}")
    return queue
