"""The AMQP 1.0 ends of the load: numbered messages on one connection, deliveries of a link on another, 16-byte bodies.

Frames are of one length from the delivery id 256 on, so numbers and ids are written and compared as in numbers.py.
Unsettled, the sender is answered by dispositions of any ranges, and the receiver settles each delivery by itself.
Who receives looks at lengths alone up to the body, which has to hold the next number: brokers choose their encodings.
"""

from __future__ import annotations

import socket

from tests.benchmarks import wire10
from tests.benchmarks.client import CALL_TIMEOUT_S, LoadError
from tests.benchmarks.numbers import numbers_match, write_numbers
from tests.benchmarks.wire import NUMBER
from tests.benchmarks.wire10 import WIDE
from tests.support.child import LOOPBACK

QUEUE = "benchmark-amqp10"
ADDRESS = f"/amq/queue/{QUEUE}"
"""A queue that is there, by an address of version 1, which RabbitMQ 3 and 4 and Warren know."""

BODY = NUMBER.pack(0) + b"x" * 8

BLOCK_MESSAGES = 1000
"""Messages encoded and sent at once, at most."""

READ_BYTES = 256 * 1024

CREDIT = 2000
"""Of the receiver; renewed when half of it is used."""


def _frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Whole frames: the code of the performative (0 for none), and the body."""
    found, at = [], 0
    while len(data) - at >= 8:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8 or len(data) - at < size:
            break
        body = data[at + 8 : at + size]
        found.append((body[2] if body[:2] == b"\x00\x53" else 0, body))
        at += size
    return found


def whole_bytes(data: bytes) -> int:
    """How many of these bytes are whole frames."""
    return sum(len(body) + 8 for _, body in _frames_of(data))


def uints_of(body: bytes) -> list[int | None]:
    """The fields of a performative that are unsigned numbers or null, up to the first that is something else."""
    at = 3
    count, at = (body[at + 2], at + 3) if body[at] == 0xC0 else (int.from_bytes(body[at + 5 : at + 9], "big"), at + 9)
    found: list[int | None] = []
    for _ in range(count):
        code = body[at]
        if code == 0x40:
            found.append(None)
            at += 1
        elif code == 0x43:
            found.append(0)
            at += 1
        elif code == 0x52:
            found.append(body[at + 1])
            at += 2
        elif code == 0x70:
            found.append(int.from_bytes(body[at + 1 : at + 5], "big"))
            at += 5
        elif code in (0x41, 0x42):
            found.append(int(code == 0x41))
            at += 1
        else:
            break
    return found


class Amqp10Client:
    """A blocking client with a session, which lends its socket in between."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=CALL_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.socket.sendall(wire10.SASL_HEADER)
        self._header(wire10.SASL_HEADER)
        self._until(0x40)
        init = (wire10.string("PLAIN", 0xA3), wire10.string("\0guest\0guest", 0xA0))
        self.socket.sendall(wire10.frame(wire10.described(0x41, *init), kind=1))
        self._until(0x44)
        self.socket.sendall(wire10.AMQP_HEADER)
        self._header(wire10.AMQP_HEADER)
        frame_max, channel_max = wire10.uint(131_072), b"\x60\x00\x00"
        opened = (wire10.string("benchmark"), wire10.string("vhost:/"), frame_max, channel_max)
        self.socket.sendall(wire10.frame(wire10.described(wire10.OPEN, *opened)))
        self._until(wire10.OPEN)
        window = wire10.uint(wire10.WINDOW)
        begun = (wire10.NULL, wire10.uint(WIDE), window, window)
        self.socket.sendall(wire10.frame(wire10.described(wire10.BEGIN, *begun)))
        self._until(wire10.BEGIN)

    def attach(self, *, receiver: bool, settled: bool) -> None:
        """A link with the queue."""
        source = wire10.described(0x28, wire10.string(ADDRESS)) if receiver else wire10.described(0x28)
        target = wire10.described(0x29) if receiver else wire10.described(0x29, wire10.string(ADDRESS))
        fields = [
            wire10.string("receiver" if receiver else "sender"),
            wire10.short(0),
            wire10.TRUE if receiver else wire10.FALSE,
            b"\x50\x01" if settled else b"\x50\x00",
            b"\x50\x00",
            source,
            target,
        ]
        if not receiver:
            fields += [wire10.NULL, wire10.NULL, wire10.short(0)]
        self.socket.sendall(wire10.frame(wire10.described(wire10.ATTACH, *fields)))
        self._until(wire10.ATTACH)

    def close(self) -> None:
        """Close.  On return, the server has handled all that was sent."""
        self.socket.settimeout(CALL_TIMEOUT_S)
        self.unread = b""
        self.socket.sendall(wire10.frame(wire10.described(wire10.CLOSE)))
        self._until(wire10.CLOSE, skip=True)
        self.socket.close()

    def _header(self, header: bytes) -> None:
        while len(self.unread) < 8:
            self._read()
        if self.unread[:8] != header:
            raise LoadError(f"{self.unread[:8]!r} instead of {header!r}")
        self.unread = self.unread[8:]

    def _until(self, code: int, *, skip: bool = False) -> None:
        """Read up to a performative; what follows it is left in `unread`."""
        while True:
            for found, body in _frames_of(self.unread):
                self.unread = self.unread[len(body) + 8 :]
                if found == code:
                    return
                if found >= wire10.DETACH and found <= wire10.CLOSE and not skip:
                    raise LoadError(f"the server said {body!r}")
            self._read()

    def _read(self) -> None:
        part = self.socket.recv(READ_BYTES)
        if not part:
            raise LoadError("the server closed the socket")
        self.unread += part


class Amqp10Publisher:
    """Sends `messages` numbered messages, as the credit goes, and unsettled at most `window` at a time.

    window: 0 for messages that are sent settled.  An `End` of the load loop.
    """

    def __init__(self, client: Amqp10Client, messages: int, window: int) -> None:
        self.socket = client.socket
        self._messages = messages
        self._window = window
        self._record = wire10.transfer(0, 0, wire10.data(BODY), settled=not window)
        self._id_at = self._record.index(b"\x70") + 1
        self._size = len(self._record)
        self._encoded = 0
        self._answered = 0
        self._credit_until = 0
        self._window_until = 0
        self._rest = b""
        self._unsent = memoryview(b"")
        self._take(client.unread)

    def __str__(self) -> str:
        return f"publisher sent {self._encoded} of {self._messages}, {self._answered} settled"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._encoded + self._answered

    @property
    def done(self) -> bool:
        """Whether everything is sent, and settled where it is to be."""
        if self._encoded < self._messages or self._unsent:
            return False
        return not self._window or self._answered >= self._messages

    def pump(self) -> bool:
        """Send what may be sent now, a block at most.  Returns whether to call again when writable."""
        limit = min(self._messages, self._credit_until, self._window_until)
        if self._window:
            limit = min(limit, self._answered + self._window)
        if not self._unsent and self._encoded < limit:
            count = min(limit - self._encoded, BLOCK_MESSAGES)
            block = bytearray(self._record * count)
            # The numbers are of 64 bits, ids and tags of 32: they take the places of bytes that are set right after.
            self._write_ids(block, count)
            write_numbers(block, self._size - len(BODY), self._size, count, self._encoded)
            self._unsent = memoryview(block)
            self._encoded += count
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        return bool(self._unsent) or self._encoded < limit

    def read(self) -> None:
        """Flows and dispositions; anything else is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError("the server closed the publisher's socket")
        self._take(self._rest + received)

    def _take(self, data: bytes) -> None:
        for code, body in _frames_of(data):
            if code == wire10.FLOW:
                fields = uints_of(body)
                next_incoming, window, handle, count, credit = (*fields[:2], *fields[4:7])
                base = WIDE if next_incoming is None else next_incoming
                self._window_until = base - WIDE + (window or 0)
                if handle is not None:
                    self._credit_until = (count or 0) + (credit or 0)
            elif code == wire10.DISPOSITION:
                if b"\x00\x53\x24" not in body:
                    raise LoadError(f"a message wasn't accepted: {body!r}")
                _, first, last = (*uints_of(body)[:3], None)[:3]
                self._answered += (first if last is None else last) - (first or 0) + 1  # type: ignore[operator]
            elif code:
                raise LoadError(f"the publisher got {body!r}")
        self._rest = data[whole_bytes(data) :]

    def _write_ids(self, block: bytearray, count: int) -> None:
        """Ids and tags, four bytes each, as the low halves of 64-bit numbers whose high halves are put back."""
        first = WIDE + self._encoded
        for at in (self._id_at + 6, self._id_at):
            before = self._record[at - 4 : at]
            write_numbers(block, at - 4, self._size, count, first)
            for place, value in enumerate(before, at - 4):
                block[place :: self._size] = bytes((value,)) * count


class Amqp10Consumer:
    """Expects `messages` messages in order of their numbers, and settles each if they come unsettled.

    An `End` of the load loop.
    """

    def __init__(self, client: Amqp10Client, messages: int, *, settled: bool) -> None:
        self.socket = client.socket
        self._messages = messages
        self._settled = settled
        self.delivered = 0
        self._given = CREDIT
        self._rest = client.unread
        self._unsent = self._flow()
        self._size = 0
        self._first_id = 0
        self._disposition = bytearray(wire10.disposition(0))
        self._id_at = self._disposition.index(b"\x70") + 1

    def __str__(self) -> str:
        return f"consumer got {self.delivered} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self.delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered, and settled."""
        return self.delivered == self._messages and not self._unsent

    def pump(self) -> bool:
        """Give credit, and settle.  Returns whether to call again when writable."""
        if self._given - self.delivered <= CREDIT // 2 and self.delivered < self._messages:
            self._given = self.delivered + CREDIT
            self._unsent += self._flow()
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                pass
        return bool(self._unsent)

    def read(self) -> None:
        """Take messages.  Anything else than the next ones is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the consumer's socket after {self.delivered} deliveries")
        data = bytearray(self._rest + received)
        at = 0
        while len(data) - at >= 8:
            size = int.from_bytes(data[at : at + 4], "big")
            if len(data) - at < size:
                break
            if data[at + 10] != wire10.TRANSFER:
                if data[at + 10] != wire10.FLOW:
                    raise LoadError(f"the consumer got {bytes(data[at : at + size])!r}")
                at += size
                continue
            row = self._row(data, at, size)
            number_at = size - len(BODY)
            view = data[at : at + row * size]
            if not numbers_match(view, number_at, size, row, self.delivered) or view[-8:] != BODY[8:]:
                raise LoadError(f"after {self.delivered} deliveries: not the next messages in {bytes(view[:200])!r}")
            if not self._settled:
                self._settle(uints_of(bytes(view[8:size]))[1], row)
            self.delivered += row
            at += row * size
        self._rest = bytes(data[at:])

    def _row(self, data: bytearray, at: int, size: int) -> int:
        """How many frames in a row are of one length."""
        head = data[at : at + 4]
        row = 1
        most = (len(data) - at) // size
        while row < most and data[at + row * size : at + row * size + 4] == head:
            if data[at + row * size + 10] != wire10.TRANSFER:
                break
            row += 1
        return row

    def _settle(self, first: int | None, count: int) -> None:
        if first is None:
            raise LoadError("a delivery without a number")
        size = len(self._disposition)
        block = self._disposition * count
        before = self._disposition[self._id_at - 4 : self._id_at]
        write_numbers(block, self._id_at - 4, size, count, first)
        for place, value in enumerate(before, self._id_at - 4):
            block[place::size] = bytes((value,)) * count
        self._unsent += bytes(block)

    def _flow(self) -> bytes:
        window = wire10.uint(wire10.WINDOW)
        fields = (
            wire10.uint(self.delivered),
            window,
            wire10.uint(WIDE),
            window,
            wire10.short(0),
            wire10.uint(self.delivered),
            wire10.uint(self._given - self.delivered),
        )
        return wire10.frame(wire10.described(wire10.FLOW, *fields))
