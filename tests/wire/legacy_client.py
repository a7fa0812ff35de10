"""A client that speaks as py-amqplib 1.0.2 does: AMQP 0-8 in all but name, read and written by the 2008
specification.

What differs from 0-9-1: the protocol header, connection.close and close-ok (methods 60 and 61), basic.consume
without an arguments table, access tickets, and field tables of the types S I D T F and no others.
"""

from __future__ import annotations

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, Close, Content, WireClient

HEADER = b"AMQP\x01\x01\x09\x01"
FIELD_TYPES = {"S", "I", "D", "T", "F"}

CHUNK_BYTES = 131072 - wire.FRAME_OVERHEAD_BYTES

CLOSE, CLOSE_OK = (10, 60), (10, 61)


def method(channel: int, ids: tuple[int, int], *arguments: bytes) -> bytes:
    return wire.frame(wire.METHOD, channel, wire.short(ids[0]) + wire.short(ids[1]) + b"".join(arguments))


def field_types(table: dict[str, wire.Tagged]) -> set[str]:
    """The types of all fields of a table, of its tables too."""
    types = {field.tag for field in table.values()}
    for field in table.values():
        if isinstance(field.value, dict):
            types |= field_types(field.value)
    return types


class LegacyClient(WireClient):
    """Connected and logged in when made; `ticket` is what access.request gave."""

    def __init__(self, address: Address, header: bytes = HEADER) -> None:
        super().__init__(address)
        start = self.start(header)
        start.octet(), start.octet()
        self.server_properties = start.table()
        self.mechanisms = start.longstr().split()
        response = wire.table({"LOGIN": "guest", "PASSWORD": "guest"})[4:]
        properties = wire.table({"library": "Python amqplib", "library_version": "1.0.2"})
        texts = wire.shortstr("AMQPLAIN"), wire.longstr(response), wire.shortstr("en_US")
        self.send(wire.method(0, "connection.start-ok", properties, *texts))
        tune = self.expect("connection.tune", 0)
        limits = wire.short(tune.short()) + wire.long(tune.long())
        self.send(wire.method(0, "connection.tune-ok", limits, wire.short(0)))
        self.send(wire.method(0, "connection.open", wire.shortstr("/"), wire.shortstr(""), wire.bits(False)))
        self.expect("connection.open-ok", 0).shortstr()
        self.open_channel(1)
        self.send(wire.method(1, "access.request", wire.shortstr("/data"), wire.bits(False, False, True, True, True)))
        self.ticket = self.expect("access.request-ok", 1).short()

    def declare_exchange(self, name: str, kind: str) -> None:
        flags = wire.bits(False, False, True, False, False)
        texts = wire.shortstr(name), wire.shortstr(kind)
        self.send(wire.method(1, "exchange.declare", wire.short(self.ticket), *texts, flags, wire.table()))
        self.expect("exchange.declare-ok", 1)

    def declare_auto_delete_queue(self, name: str) -> None:
        flags = wire.bits(False, False, False, True, False)
        names = wire.short(self.ticket) + wire.shortstr(name)
        self.send(wire.method(1, "queue.declare", names, flags, wire.table()))
        self.expect("queue.declare-ok", 1)

    def bind(self, queue: str, exchange: str, key: str) -> None:
        names = wire.shortstr(queue), wire.shortstr(exchange), wire.shortstr(key)
        self.send(wire.method(1, "queue.bind", wire.short(self.ticket), *names, wire.bits(False), wire.table()))
        self.expect("queue.bind-ok", 1)

    def publish(self, exchange: str, key: str, body: bytes) -> None:
        """With content type and delivery mode, as the library's demo does."""
        properties = wire.short(1 << 15 | 1 << 12) + wire.shortstr("text/plain") + wire.octet(2)
        names = wire.short(self.ticket) + wire.shortstr(exchange) + wire.shortstr(key)
        self.send(wire.method(1, "basic.publish", names, wire.bits(False, False)))
        chunks = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
        self.send(wire.header(1, len(body), properties), *(wire.body(1, chunk) for chunk in chunks))

    def consume_without_arguments(self, queue: str) -> str:
        names = wire.short(self.ticket) + wire.shortstr(queue) + wire.shortstr("")
        self.send(wire.method(1, "basic.consume", names, wire.bits(False, False, False, False)))
        return self.expect("basic.consume-ok", 1).shortstr()

    def expect_delivery(self) -> tuple[int, Content]:
        """Delivery tag and content of the next delivery."""
        deliver = self.expect("basic.deliver", 1)
        deliver.shortstr()
        return deliver.longlong(), self.expect_content(1)

    def say_goodbye(self) -> None:
        """Closes as the library does, and waits for its answer."""
        self.send(method(0, CLOSE, wire.short(0), wire.shortstr(""), wire.long(0)))
        frame = self.read_frame()
        assert (frame.channel, frame.payload) == (0, wire.short(10) + wire.short(61))

    def expect_legacy_close(self) -> Close:
        """The broker closes the connection, under the number that 0-8 has for it."""
        frame = self.read_frame()
        assert frame.payload[:4] == wire.short(10) + wire.short(60)
        self.send(method(0, CLOSE_OK))
        self.expect_end()
        return Close.of(frame)
