"""The stream protocol: a publisher whose reference lets the stream tell what it has, and a reader.

The publisher begins again a little before what was confirmed.  The reader begins again with the last message that it
saw, or with the first of all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

import proton

from tests.crash.mixed.content import content_of, key_in
from tests.crash.mixed.history import MixedHistory
from tests.crash.mixed.peers import WINDOW, PacketLink, Peer, Publisher, unexpected
from tests.support.amqp_wire import Address
from tests.support.crash_amqp10 import DURABLE, SOMETHING
from tests.support.crash_link import Event
from tests.support.simulated_amqp10 import body_of, data
from tests.support.simulated_stream import bodies_of, publish, published
from tests.support.stream_wire import StreamWireClient
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

PUBLISHER: Final = 1
SUBSCRIPTION: Final = 1

ROW: Final = 20
"""Messages in a frame."""

AGAIN: Final = 20
"""So many messages that were confirmed are sent again, too."""

CREDIT: Final = 10

SIZE_BYTES: Final = 4
"""In front of each frame."""


class StreamLink(PacketLink):
    """Goes on where a client that waits for its answers has left off."""

    def __init__(self, client: StreamWireClient, name: str) -> None:
        super().__init__(client.socket, name)
        self.packets += client.unasked
        left = client.left_over()
        self._received += left[self.parse(left) :]

    def tell(self, command: commands.Command) -> None:
        """Have a command sent."""
        self.send(encode(command))

    def parse(self, data: bytes) -> int:
        position = 0
        while len(data) - position >= SIZE_BYTES:
            end = position + SIZE_BYTES + int.from_bytes(data[position : position + SIZE_BYTES], "big")
            if end > len(data):
                break
            command = decode(data[position + SIZE_BYTES : end])
            if not isinstance(command, commands.Heartbeat):
                self.packets.append(command)
            position = end
        return position


class StreamPublisher(Publisher):
    """unconfirmed: by publishing id, which is the number of the message."""

    link: StreamLink
    proves = False

    def __init__(self, name: str, history: MixedHistory, chance: random.Random, place: str) -> None:
        super().__init__(name, history, chance, (place,))
        self._place = place
        self._unconfirmed: dict[int, str] = {}
        self._keys: dict[int, str] = {}
        self._open: set[int] = set()
        self._next = 1

    @property
    def is_idle(self) -> bool:
        return not self._unconfirmed and not self._open

    @property
    def _confirmed(self) -> int:
        """All up to this one are."""
        return min(self._unconfirmed, default=self.number + 1) - 1

    def connect(self, addresses: Mapping[str, Address]) -> None:
        client = StreamWireClient(addresses["stream"]).log_in()
        answer = client.ask(commands.QueryPublisherSequence, self.name, self._place)
        self.history.knows(self._place, self.name, self._confirmed, answer.sequence)
        client.ask(commands.DeclarePublisher, PUBLISHER, self.name, self._place)
        self._open.clear()
        self._next = max(1, self._confirmed - AGAIN + 1)
        self.link = StreamLink(client, self.name)

    def pump(self) -> None:
        self.handle(SOMETHING)
        while len(self._open) <= WINDOW - ROW and (self._next <= self.number or self.may_publish):
            self._send_row()

    def _send_row(self) -> None:
        ids = range(self._next, self._next + ROW)
        if self._next <= self.number:
            ids = range(self._next, min(self._next + ROW, self.number + 1))
        for id in ids:
            if id > self.number:
                self._keys[id] = self._unconfirmed[id] = self.next_key()
        self._open.update(ids)
        self._next = ids[-1] + 1
        rows = (published(id, DURABLE + data(content_of(self._keys[id]))) for id in ids)
        self.link.tell(publish(PUBLISHER, *rows))
        oldest = self._confirmed - AGAIN + 1
        self._keys = {id: key for id, key in self._keys.items() if id >= oldest}

    def handle(self, event: Event) -> None:
        while self.link.packets:
            command: Any = self.link.packets.popleft()
            if not isinstance(command, commands.PublishConfirm):
                raise unexpected(self, command)
            for id in command.publishing_ids:
                if id not in self._open:
                    self.history.problem(f"{self._place}: {self.name}'s {id} was confirmed twice, or never sent")
                self._open.discard(id)
                key = self._unconfirmed.pop(id, None)
                if key is not None:
                    self.history.confirm(key)


class StreamReader(Peer):
    """from_first: it is to begin with the first message, and not where it was.  Its name is the stream's."""

    link: StreamLink

    def __init__(self, name: str, history: MixedHistory, chance: random.Random) -> None:
        super().__init__(name, history, chance)
        self.from_first = False

    @property
    def is_idle(self) -> bool:
        return True

    def connect(self, addresses: Mapping[str, Address]) -> None:
        client = StreamWireClient(addresses["stream"]).log_in()
        seen = len(self.history.log[self.name])
        spec = OffsetSpec(OffsetType.OFFSET, seen - 1)
        if self.from_first or not seen:
            spec = OffsetSpec(OffsetType.FIRST)
        client.ask(commands.Subscribe, SUBSCRIPTION, self.name, spec, CREDIT)
        self.link = StreamLink(client, self.name)

    def pump(self) -> None:
        # Some may have come before its subscription was answered.
        self.handle(SOMETHING)

    def handle(self, event: Event) -> None:
        while self.link.packets:
            command: Any = self.link.packets.popleft()
            if not isinstance(command, commands.Deliver):
                raise unexpected(self, command)
            for offset, record in bodies_of(command.chunk):
                message = proton.Message()
                message.decode(record)
                key, is_intact = key_in(body_of(message))
                self.history.read(self.name, offset, key, intact=is_intact)
            self.link.tell(commands.Credit(SUBSCRIPTION, 1))
