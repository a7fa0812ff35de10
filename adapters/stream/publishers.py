"""Publishers: what a client calls by a number publishes to one stream (spec H.2).

Whoever publishes has to be allowed to write to the stream; that is asked for when the publisher is declared, and again
when anything has changed that it rests on (`VirtualHost.version`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.commands import DeclarePublisher, DeletePublisher
from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.streams import stream_of
from warren.core.errors import PreconditionFailed
from warren.core.queues.stream.queue import REFUSAL

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession
    from warren.core.queues.stream.queue import StreamQueue

REFERENCE_BYTES_MAX: Final = 255
"""RabbitMQ's; its clients check it, too."""


class Publisher:
    """One of them.

    reference: by which its publishing ids are known again; empty for none.  version: of the virtual host when its
    rights were asked for.  ended: nobody is there to be told.  published, confirmed, errored: entries that came, each
    with a publishing id, that the client was told are safe, and that weren't taken.
    """

    __slots__ = ("_session", "confirmed", "ended", "errored", "id", "published", "queue", "reference", "version")

    def __init__(self, session: StreamSession, id: int, reference: bytes, queue: StreamQueue) -> None:
        self._session = session
        self.id = id
        self.reference = reference
        self.queue = queue
        self.version = session.logged_in.vhost.version
        self.ended = False
        self.published = 0
        self.confirmed = 0
        self.errored = 0

    def check(self) -> None:
        """Raise an error of the broker, or Unanswered, where it may publish no more."""
        client = self._session.logged_in
        version = client.vhost.version
        client.check("queue", self.queue.name, "write")
        self.queue.check_usable()
        if self.queue.refuses:
            raise PreconditionFailed(f"{self.queue.description}: {REFUSAL}")
        self.version = version

    def gone(self) -> None:
        """Its stream is deleted."""
        self._session.publishers.stream_gone(self.queue)


class Publishers:
    """Of one connection, by their numbers."""

    __slots__ = ("_by_id", "_session")

    def __init__(self, session: StreamSession) -> None:
        self._session = session
        self._by_id: dict[int, Publisher] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_id)

    def __bool__(self) -> bool:
        return len(self) > 0

    def all(self) -> list[Publisher]:
        """All of them."""
        return list(self._by_id.values())

    def get(self, id: int) -> Publisher | None:
        """The one of this number; None if there is none."""
        return self._by_id.get(id)

    def add(self, publisher: Publisher) -> None:
        """One more."""
        self._by_id[publisher.id] = publisher
        publisher.queue.when_gone.add(publisher.gone)

    def has(self, queue: StreamQueue, reference: bytes) -> bool:
        """Whether one with this reference publishes to this stream."""
        return any(each.queue is queue and each.reference == reference for each in self._by_id.values())

    def remove(self, id: int) -> Publisher | None:
        """Let go of the one of this number."""
        publisher = self._by_id.pop(id, None)
        if publisher is not None:
            publisher.ended = True
            publisher.queue.when_gone.remove(publisher.gone)
        return publisher

    def stream_gone(self, queue: StreamQueue) -> None:
        """A stream is deleted: its publishers are gone, and the client is told."""
        gone = [id for id, publisher in self._by_id.items() if publisher.queue is queue]
        for id in gone:
            self.remove(id)
        if gone:
            self._session.tell_gone(queue.name)

    def end(self) -> None:
        """The connection ends."""
        for id in list(self._by_id):
            self.remove(id)


def declare_publisher(session: StreamSession, command: DeclarePublisher) -> None:
    """A number for who publishes to a stream."""
    reference = (command.reference or "").encode("utf-8", "surrogateescape")
    queue = stream_of(session, command.stream, "write")
    if len(reference) > REFERENCE_BYTES_MAX:
        raise Refused(Code.PRECONDITION_FAILED, f"a reference has {REFERENCE_BYTES_MAX} bytes at most")
    if session.publishers.get(command.publisher_id) is not None:
        raise Refused(Code.PRECONDITION_FAILED, f"there is a publisher {command.publisher_id} already")
    if reference and session.publishers.has(queue, reference):
        raise Refused(Code.PRECONDITION_FAILED, f"a publisher called '{command.reference}' publishes to it already")
    session.publishers.add(Publisher(session, command.publisher_id, reference, queue))
    session.ok(command)


def delete_publisher(session: StreamSession, command: DeletePublisher) -> None:
    """It publishes no more; what it has published stays, and isn't confirmed if it wasn't yet."""
    if session.publishers.remove(command.publisher_id) is None:
        raise Refused(Code.NO_PUBLISHER, f"there is no publisher {command.publisher_id}")
    session.ok(command)
