"""What clients of streams know of a broker that is killed, and what must be true when it is back.

A stream has publishers with references, each of which numbers its messages from 1, and one reader, which stores how far
it has come.  Whatever is confirmed is there once; whatever a reader was given stays at its offset; what a stream knows
of a publisher agrees with what is there of it; a stored offset may fall back to one that was on disk for certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.support.simulated_stream import bodies_of, publish, published
from tests.support.stream_wire import StreamWireClient
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

REFERENCES: Final = ("a", "b")

WINDOW: Final = 300
"""Unconfirmed messages of a publisher: several group commits are never far away."""

ROW: Final = 50
"""Messages in a frame."""

AGAIN: Final = 20
"""So many messages that were confirmed are sent again, too."""

CREDIT: Final = 10

READER: Final = "reader"

FIRST: Final = OffsetSpec(OffsetType.FIRST)


class Publisher:
    """One reference on one stream.  sent, confirmed: the last id of each, without a gap before it."""

    def __init__(self, number: int, reference: str) -> None:
        self.number = number
        self.reference = reference
        self.sent = self.confirmed = 0
        self.next = 1
        self._open: set[int] = set()

    def row(self, size: int) -> commands.Publish:
        """The next frame of it."""
        ids = range(self.next, self.next + ROW)
        self.next += ROW
        self.sent = max(self.sent, ids[-1])
        self._open.update(ids)
        return publish(self.number, *(published(id, self.body(id).ljust(size, b".")) for id in ids))

    def body(self, id: int) -> bytes:
        """What its message begins with."""
        return f"{self.reference} {id} ".encode()

    @property
    def is_free(self) -> bool:
        """Whether it may send another row."""
        return len(self._open) <= WINDOW - ROW

    def take_confirms(self, ids: list[int]) -> None:
        """These are on disk."""
        for id in ids:
            assert id in self._open, f"{self.reference}: {id} was confirmed twice, or never sent"
            self._open.remove(id)
        self.confirmed = max(self.confirmed, min(self._open, default=self.next) - 1)

    def begin_again(self, known: int) -> None:
        """Behind a start: the stream knows of it up to this id."""
        assert self.confirmed <= known <= self.sent, f"{self.reference}: {self.confirmed} <= {known} <= {self.sent}"
        self._open.clear()
        self.next = max(1, self.confirmed - AGAIN)


class Stream:
    """One stream.  found: the bodies of this start by offset; seen: those of all, as far as they were given out.

    last_ids: of what was found, by reference.  stored_offset: what the reader stored last; kept_offset: what of that is
    known to be on disk.
    """

    def __init__(self, number: int, name: str, arguments: Mapping[str, str]) -> None:
        self.number = number
        self.name = name
        self.arguments = dict(arguments)
        self.publishers = [Publisher(number * len(REFERENCES) + n, each) for n, each in enumerate(REFERENCES)]
        self.found: dict[int, bytes] = {}
        self.seen: dict[int, bytes] = {}
        self.last_ids: dict[str, int] = {}
        self.first = 0
        self.kept_offset = self.stored_offset = -1
        self._stored: list[tuple[int, dict[str, int]]] = []

    def open(self, client: StreamWireClient, *, is_new: bool) -> None:
        """Behind a start: make it, or see what is left of it, and go on."""
        if is_new:
            client.ask(commands.Create, self.name, self.arguments)
        else:
            self._check_stored(client)
        known = {}
        for each in self.publishers:
            answer = client.ask(commands.QueryPublisherSequence, each.reference, self.name)
            known[each.reference] = answer.sequence
            each.begin_again(answer.sequence)
            client.ask(commands.DeclarePublisher, each.number, each.reference, self.name)
        self.found.clear()
        self.last_ids = dict.fromkeys(REFERENCES, 0)
        client.ask(commands.Subscribe, self.number, self.name, FIRST, CREDIT)
        while self.last_ids != known:
            command = client.take()
            assert isinstance(command, commands.Deliver), command
            assert command.subscription_id == self.number
            self.take_chunk(client, command)
        self.first = min(self.found, default=0)

    def _check_stored(self, client: StreamWireClient) -> None:
        if self.kept_offset >= 0:
            answer = client.ask(commands.QueryOffset, READER, self.name)
            assert self.kept_offset <= answer.offset <= self.stored_offset
            self.kept_offset = self.stored_offset = answer.offset
        self._stored.clear()

    def take_chunk(self, client: StreamWireClient, command: commands.Deliver) -> None:
        """What a reader is given: ask for more, and store how far it has come."""
        for offset, record in bodies_of(command.chunk):
            body = record.rstrip(b".")
            assert self.seen.setdefault(offset, body) == body, f"{self.name}: offset {offset} was another message"
            assert not self.found or offset == next(reversed(self.found)) + 1
            self.found[offset] = body
            reference, id = body.split()
            self.last_ids[reference.decode()] = int(id)
        last = next(reversed(self.found))
        client.tell(commands.Credit(self.number, 1))
        if last > self.stored_offset:
            client.tell(commands.StoreOffset(READER, self.name, last))
            self.stored_offset = last
            self._stored.append((last, {each.reference: each.sent for each in self.publishers}))

    def send(self, client: StreamWireClient, size: int) -> None:
        """As many rows as publishers may have on their way."""
        for each in self.publishers:
            while each.is_free:
                client.tell(each.row(size))

    def take_confirms(self, publisher: Publisher, ids: list[int]) -> None:
        """What was stored before a message of which this is the confirm is on disk, too."""
        publisher.take_confirms(ids)
        newest = max(ids)
        while self._stored and self._stored[0][1][publisher.reference] < newest:
            self.kept_offset = self._stored.pop(0)[0]

    def check_numbers(self) -> None:
        """No message of a publisher is there twice, and none is missing between two."""
        for each in self.publishers:
            prefix = each.reference.encode()
            ids = [int(body.split()[1]) for body in self.found.values() if body.split()[0] == prefix]
            assert ids == list(range(ids[0], ids[0] + len(ids)) if ids else [])
            assert self.first or not ids or ids[0] == 1
