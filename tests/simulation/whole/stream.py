"""Clients of the stream protocol: a publisher with a name, whose messages are there once each, and a reader.

A stream is one row of messages: whoever reads it finds the same message at the same offset, whatever happens, every
confirmed one, each once, and those of a publisher in their order.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Final

from tests.simulation.whole.ledger import Broken, Message
from tests.simulation.whole.peer import STREAM, Peer, Unexpected, World
from tests.support.simulated_stream import published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.streams.chunk import HEAD_SIZE, decode_head, entries_of

DATA: Final = b"\x00\x53\x75\xb0"
UNDER_WAY_MAX: Final = 10
CREDIT: Final = 2


def record(body: bytes) -> bytes:
    """A message of one data section."""
    return DATA + len(body).to_bytes(4, "big") + body


def body_in(record: bytes) -> bytes:
    """The data section of a message, whoever published it."""
    at = record.index(DATA[:3]) + 3
    size = 4 if record[at] == DATA[3] else 1
    return record[at + 1 + size : at + 1 + size + int.from_bytes(record[at + 1 : at + 1 + size], "big")]


class StreamPeer(Peer):
    """What publisher and reader have in common: a login in several steps."""

    is_stream = True

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.is_open = False
        self._undecoded = b""
        self._correlation = 0

    def hello(self) -> None:
        self.is_open = False
        self._undecoded = b""
        self._say(commands.PeerProperties(self._next(), {"product": "test"}))
        self._say(commands.SaslHandshake(self._next()))
        self._say(commands.SaslAuthenticate(self._next(), "PLAIN", b"\0guest\0guest"))

    def _next(self) -> int:
        self._correlation += 1
        return self._correlation

    def _say(self, command: Any) -> None:
        self.write(encode(command))

    def parse(self, data: bytes) -> None:
        data = self._undecoded + data
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            self._take(decode(data[at + 4 : end]))
            at = end
        self._undecoded = data[at:]

    def _take(self, command: Any) -> None:
        if isinstance(command, commands.Tune):
            self._say(commands.Tune(0, 0))
            self._say(commands.Open(self._next(), "/"))
        elif isinstance(command, commands.OpenAnswer):
            self.is_open = True
            self.welcome()
        elif isinstance(command, commands.Close):
            self.closing = True
        elif getattr(command, "code", Code.OK) != Code.OK:
            raise Unexpected(f"{self.name} got {command}")
        else:
            self.take(command)

    def welcome(self) -> None:
        """The login is over."""
        raise NotImplementedError

    def take(self, command: Any) -> None:
        """What came."""

    def over(self) -> None:
        self.is_open = False

    def refused(self) -> None:
        """The stream protocol says why it closes, or the broker is about to end."""

    def drain(self) -> None:
        self.connect()


class StreamPublisher(StreamPeer):
    """See the head of this file."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._under_way: dict[int, Message] = {}
        self._last_id = 0

    def welcome(self) -> None:
        self._say(commands.DeclarePublisher(self._next(), 1, self.name, STREAM))
        self._publish(self._under_way)

    def work(self, chance: random.Random) -> None:
        if not self.is_open or len(self._under_way) > UNDER_WAY_MAX:
            return
        new = {}
        for _ in range(chance.choice([1, 2, 5])):
            self._last_id += 1
            new[self._last_id] = self.ledger.new(self.name, (), self.body_size(chance), is_streamed=True)
        self._under_way |= new
        self._publish(new)

    def _publish(self, messages: dict[int, Message]) -> None:
        if messages:
            data = b"".join(published(number, record(message.body)) for number, message in messages.items())
            self.write(
                encode(commands.Publish(1, len(messages), data)), partial(self._were_read, list(messages.values()))
            )

    def _were_read(self, messages: list[Message]) -> None:
        for message in messages:
            self.was_read(message)

    def take(self, command: Any) -> None:
        if isinstance(command, commands.PublishConfirm):
            for number in command.publishing_ids:
                message = self._under_way.pop(number, None)
                if message is None or not message.sent:
                    raise Broken(f"{self.name} was told of {number} twice, or too early")
                self.ledger.confirmed(message)
            self.world.trace(f"{self.name} confirmed {command.publishing_ids}")
        elif isinstance(command, commands.PublishError):
            raise Unexpected(f"{self.name} got {command}")

    def finish(self) -> None:
        if self._under_way:
            raise Broken(f"{self.name} has no answer for {self._under_way}")


class StreamReader(StreamPeer):
    """See the head of this file."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._expected = 0
        self._credit = 0
        self._is_draining = False

    def welcome(self) -> None:
        self._expected = 0
        self._credit = CREDIT
        self._say(commands.Subscribe(self._next(), 1, STREAM, OffsetSpec(OffsetType.FIRST), CREDIT))

    def work(self, chance: random.Random) -> None:
        if self.is_open:
            count = chance.choice([1, 2, 3])
            self._credit += count
            self._say(commands.Credit(1, count))

    def take(self, command: Any) -> None:
        if not isinstance(command, commands.Deliver):
            return
        self._credit -= 1
        if self._credit < 0:
            raise Broken(f"{self.name} gets more chunks than it has asked for")
        chunk = command.chunk
        head = decode_head(chunk)
        for offset, each in entries_of(head, chunk[HEAD_SIZE:]):
            if not isinstance(each, bytes):
                raise Broken(f"there is a batch at {offset}, and nobody has published one")
            self._read_one(offset, body_in(each))
        if self._is_draining:
            self._credit += 1
            self._say(commands.Credit(1, 1))

    def _read_one(self, offset: int, body: bytes) -> None:
        if offset != self._expected:
            raise Broken(f"{self.name} is at {self._expected}, and gets the message of {offset}")
        self._expected += 1
        number = self.ledger.number_of(body)
        if not self.ledger.messages[number].sent:
            raise Broken(f"{number} is in the stream, though nobody has published it")
        self.world.trace(f"{self.name} got {number} at {offset}")
        log = self.world.stream_log
        known = log.get(offset)
        if known is None:
            if number in log.values():
                raise Broken(f"{number} is in the stream twice")
            log[offset] = number
        elif known != number:
            raise Broken(f"at {offset} was {known}, and is {number}")
        if self._is_draining:
            self.ledger.messages[number].is_drained = True

    def drain(self) -> None:
        self._is_draining = True
        super().drain()

    def finish(self) -> None:
        last: dict[str, int] = {}
        for _, number in sorted(self.world.stream_log.items()):
            publisher = self.ledger.messages[number].publisher
            if last.get(publisher, 0) > number:
                raise Broken(f"the stream has {number} of {publisher} behind {last[publisher]}")
            last[publisher] = number
        for message in self.ledger.messages.values():
            if message.is_streamed and message.is_confirmed and not message.is_drained:
                raise Broken(f"{message.number} was confirmed, and isn't in the stream")
