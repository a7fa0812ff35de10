"""The ends of the load over the stream protocol: Publish frames with many numbered messages each, and chunks.

A message is a data section of AMQP 1.0, as clients write it, whose body has a 64-bit number, which is its publishing id
and its offset, too.  Frames are made from a buffer of records, in which only numbers are written anew, by strided
slices (numbers.py).  No more messages than the window are unconfirmed at any time, and each must be confirmed exactly
once; frames of confirms are usually ids in a row, which are compared like records.

Of each chunk that comes the head is read, its CRC counted, and all its numbers are compared with the next ones; the
last record is compared in full.  A credit is given back for each chunk.

Several publishers have a range of numbers each, and their frames come mixed: of each of them the numbers are in order.
"""

from __future__ import annotations

import socket
import struct
from zlib import crc32

from tests.benchmarks import wire_stream as wire
from tests.benchmarks.client import CALL_TIMEOUT_S, LoadError
from tests.benchmarks.numbers import RECORDS_MAX, numbers_match, write_numbers
from tests.support.child import LOOPBACK

BODY_BYTES = 16
NUMBER = struct.Struct(">Q")

BATCH_MESSAGES = 100
"""In a Publish frame, as the field's clients send them by default."""

BLOCK_BATCHES = 32
"""Frames that are made and sent at once: some 100 KiB."""

PARTS_PER_WINDOW = 10
"""A window isn't filled up before a part of it is open (see publisher.py)."""

CREDIT = 10
"""Chunks that a subscriber takes ahead, as the field's clients do."""

FRAME_BYTES_MAX = 1 << 20
"""As both brokers have it by default."""

READ_BYTES = 1 << 20

_MESSAGE = wire.message(NUMBER.pack(0) + b"x" * (BODY_BYTES - NUMBER.size))
_ENTRY = wire.SIZE.pack(len(_MESSAGE)) + _MESSAGE
_RECORD = NUMBER.pack(0) + _ENTRY
"""A message in a Publish frame: publishing id, size, message."""

_NUMBER_AT = len(_ENTRY) - BODY_BYTES
"""Where an entry has its number."""

_AROUND = _ENTRY[:_NUMBER_AT] + _ENTRY[_NUMBER_AT + NUMBER.size :]
"""An entry without its number."""


class StreamClient:
    """A blocking client of a few calls, which lends its socket in between."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=CALL_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = wire.Frames()
        self._waiting: list[bytes] = []
        self._correlation = 0
        self.call(wire.PEER_PROPERTIES, wire.properties(product="benchmark"))
        self.call(wire.SASL_HANDSHAKE, b"")
        login = b"\0guest\0guest"
        self.call(wire.SASL_AUTHENTICATE, wire.string("PLAIN") + struct.pack(">i", len(login)) + login)
        self._next(wire.TUNE)
        self.socket.sendall(wire.frame(wire.TUNE | wire.RESPONSE, struct.pack(">II", FRAME_BYTES_MAX, 0)))
        self.call(wire.OPEN, wire.string("/"))

    def create(self, stream: str) -> None:
        """Make a stream."""
        self.call(wire.CREATE, wire.string(stream) + wire.properties())

    def delete(self, stream: str) -> None:
        """Delete one."""
        self.call(wire.DELETE, wire.string(stream))

    def declare_publisher(self, stream: str) -> None:
        """Publish to a stream, as publisher 0 without a reference."""
        self.call(wire.DECLARE_PUBLISHER, b"\0" + wire.string("") + wire.string(stream))

    def subscribe(self, stream: str) -> None:
        """Read a stream from its first offset on, as subscription 0."""
        offset = struct.pack(">HH", wire.OFFSET_FIRST, CREDIT)
        self.call(wire.SUBSCRIBE, b"\0" + wire.string(stream) + offset)

    def close(self) -> None:
        """Close the connection; nothing may have come since the load but the answer."""
        if self._waiting:
            raise LoadError(f"behind the load: {wire.describe(self._waiting[0])}")
        self.call(wire.CLOSE, struct.pack(">H", wire.OK) + wire.string("done"))
        self.socket.close()

    def call(self, key: int, fields: bytes) -> None:
        """Send a command and await its answer, which must be OK."""
        self._correlation += 1
        self.socket.settimeout(CALL_TIMEOUT_S)
        self.socket.sendall(wire.frame(key, struct.pack(">I", self._correlation) + fields))
        answer = self._next(key | wire.RESPONSE)
        correlation, code = struct.unpack_from(">IH", answer, wire.KEY_BYTES)
        if (correlation, code) != (self._correlation, wire.OK):
            raise LoadError(f"command {key} was answered with code {code:#x} ({correlation})")

    def taken(self) -> list[bytes]:
        """Frames that have come behind the last answer, and the part of one, for the end that takes over."""
        waiting, self._waiting = self._waiting, []
        return waiting

    @property
    def frames(self) -> wire.Frames:
        """What the frames of its socket are cut by."""
        return self._frames

    def _next(self, key: int) -> bytes:
        while not self._waiting:
            try:
                received = self.socket.recv(READ_BYTES)
            except TimeoutError:
                raise LoadError(f"no answer within {CALL_TIMEOUT_S:g} s") from None
            if not received:
                raise LoadError("the server closed the socket")
            self._waiting = self._frames.cut(received)
        found = self._waiting.pop(0)
        if int.from_bytes(found[:2], "big") != key:
            raise LoadError(f"expected a frame of key {key:#x}, got {wire.describe(found)}")
        return found


class StreamPublisher:
    """Sends `messages` numbered messages, `window` of them unconfirmed at most.  An `End` of the load loop.

    first: the number of its first message.
    """

    def __init__(self, client: StreamClient, messages: int, window: int, first: int = 0) -> None:
        self.socket = client.socket
        self._frames = client.frames
        self._first = first
        self._messages = messages
        self._window = window
        self._records = bytearray(_RECORD * (BATCH_MESSAGES * BLOCK_BATCHES))
        self._encoded = 0
        self._unsent = memoryview(b"")
        self._confirmed = bytearray(messages)
        self._confirmed_count = 0

    def __str__(self) -> str:
        return f"publisher sent {self._encoded} of {self._messages}, {self._confirmed_count} confirmed"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._encoded + self._confirmed_count

    @property
    def done(self) -> bool:
        """Whether everything is sent and confirmed."""
        return self._confirmed_count == self._messages and not self._unsent

    def pump(self) -> bool:
        """Send what may be sent now, a block at most.  Returns whether to call again when writable."""
        if not self._unsent:
            self._encode()
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                pass
        return bool(self._unsent) or self._open() > 0

    def read(self) -> None:
        """Take confirms from the readable socket.  Anything else is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError("the server closed the publisher's socket")
        for found in self._frames.cut(received):
            key, version, publisher, count = struct.unpack_from(">HHBI", found.ljust(9, b"\0"))
            ids = found[wire.KEY_BYTES + wire.COUNTED.size :]
            if (key, version, publisher) != (wire.PUBLISH_CONFIRM, 1, 0) or len(ids) != count * NUMBER.size:
                raise LoadError(f"the publisher got {wire.describe(found)}")
            self._confirm(ids, count)

    def _open(self) -> int:
        """How many more messages may be sent now: nothing for small parts of the window."""
        opened = min(self._confirmed_count + self._window, self._messages)
        left = opened - self._encoded
        is_enough = left * PARTS_PER_WINDOW >= self._window or opened == self._messages
        return left if is_enough else 0

    def _encode(self) -> None:
        count = min(self._open(), BATCH_MESSAGES * BLOCK_BATCHES)
        if count <= 0:
            return
        for at in (0, len(_RECORD) - BODY_BYTES):
            write_numbers(self._records, at, len(_RECORD), count, self._first + self._encoded)
        parts = []
        for first in range(0, count, BATCH_MESSAGES):
            some = min(BATCH_MESSAGES, count - first)
            size = wire.KEY_BYTES + wire.COUNTED.size + some * len(_RECORD)
            parts.append(wire.HEAD.pack(size, wire.PUBLISH, 1) + wire.COUNTED.pack(0, some))
            parts.append(bytes(self._records[first * len(_RECORD) : (first + some) * len(_RECORD)]))
        self._unsent = memoryview(b"".join(parts))
        self._encoded += count

    def _confirm(self, ids: bytes, count: int) -> None:
        if not count:
            return
        (number,) = NUMBER.unpack_from(ids)
        if count <= RECORDS_MAX and numbers_match(bytearray(ids), 0, NUMBER.size, count, number):
            self._confirm_row(number - self._first, count)
        else:
            for (number,) in NUMBER.iter_unpack(ids):
                self._confirm_row(number - self._first, 1)
        self._confirmed_count += count

    def _confirm_row(self, at: int, count: int) -> None:
        end = at + count
        if at < 0 or end > self._encoded or self._confirmed.count(0, at, end) != count:
            first = self._first + at
            raise LoadError(f"messages {first} to {first + count - 1}: confirmed twice or before they were sent")
        self._confirmed[at:end] = b"\1" * count


class StreamConsumer:
    """Expects `messages` messages with consecutive numbers, in chunks.  An `End` of the load loop.

    publishers: so many have an equal part of the numbers each.  bytes_read: of all chunks, with their heads.
    """

    def __init__(self, client: StreamClient, messages: int, publishers: int = 1) -> None:
        self.socket = client.socket
        self._client = client
        self._frames = client.frames
        self._messages = messages
        self._share = messages // publishers
        self._next = [number * self._share for number in range(publishers)]
        self._row_max = RECORDS_MAX if publishers == 1 else BATCH_MESSAGES
        self._delivered = 0
        self._credits = 0
        self.bytes_read = 0

    def __str__(self) -> str:
        return f"consumer got {self._delivered} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered."""
        return self._delivered == self._messages

    def pump(self) -> bool:
        """Give back the credit of the chunks that came.  Returns whether to call again when writable."""
        for found in self._client.taken():
            self._take(found)
        if self._credits and not self.done:
            try:
                # Some bytes: they go whole or not at all.
                self.socket.send(wire.frame(wire.CREDIT, struct.pack(">BH", 0, self._credits)))
                self._credits = 0
            except BlockingIOError:
                return True
        return False

    def read(self) -> None:
        """Take chunks from the readable socket.  Anything else than the next messages is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the consumer's socket after {self._delivered} messages")
        for found in self._frames.cut(received):
            self._take(found)

    def _take(self, found: bytes) -> None:
        key, version = struct.unpack_from(">HH", found)
        at = wire.KEY_BYTES + 1
        if key != wire.DELIVER or version != 1 or found[wire.KEY_BYTES : at] != b"\0":
            raise LoadError(f"the consumer got {wire.describe(found)}")
        if len(found) < at + wire.CHUNK.size:
            self._fail("the head of a chunk is cut off")
        magic, kind, entries, records, _, _, first, checksum, size, _, _ = wire.CHUNK.unpack_from(found, at)
        data = bytearray(found[at + wire.CHUNK.size :])
        if (magic, kind, entries, first) != (wire.MAGIC, 0, records, self._delivered):
            self._fail(f"a chunk of kind {kind} with {entries} entries, {records} records from offset {first} on")
        if size != len(data) or crc32(data) != checksum:
            self._fail("a chunk has another size or CRC than it says")
        if not records or size != records * len(_ENTRY) or self._delivered + records > self._messages:
            self._fail(f"a chunk of {records} messages has {size} bytes")
        last = data[-len(_ENTRY) :]
        if last[:_NUMBER_AT] + last[_NUMBER_AT + NUMBER.size :] != _AROUND or not self._are_next(data, records):
            self._fail(f"not the next messages in a chunk of {records}")
        self._delivered += records
        self._credits += 1
        self.bytes_read += wire.CHUNK.size + size

    def _are_next(self, data: bytearray, count: int) -> bool:
        """Whether so many entries have each the next number of a publisher.

        Rows as long as a frame of a publisher are tried at once, and shorter ones where frames were cut up.
        """
        size = len(_ENTRY)
        at = 0
        while at < count:
            (number,) = NUMBER.unpack_from(data, at * size + _NUMBER_AT)
            publisher = number // self._share
            if publisher >= len(self._next) or number != self._next[publisher]:
                return False
            row = min(self._row_max, count - at, (publisher + 1) * self._share - number)
            while not numbers_match(data[at * size : (at + row) * size], _NUMBER_AT, size, row, number):
                row = (row + 1) // 2
                if row == 1:
                    break
            self._next[publisher] = number + row
            at += row
        return True

    def _fail(self, text: str) -> None:
        raise LoadError(f"after {self._delivered} of {self._messages} messages: {text}")
