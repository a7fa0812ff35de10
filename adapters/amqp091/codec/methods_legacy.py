"""AMQP 0-8: the dialect of clients that open with `AMQP 1 1 8 0` or, like py-amqplib, `AMQP 1 1 9 1`.

Their frames, content and all their other methods are those of 0-9-1.  The differences are translated here, so
that the rest of the adapter knows 0-9-1 alone:

    connection.close and close-ok are 10,60 and 10,61, where 0-9-1 has 50 and 51 (there: blocked, unblocked)
    basic.consume ends before the arguments table
    channel.open-ok has no arguments
"""

from __future__ import annotations

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.methods import (
    BasicConsume,
    ChannelOpenOk,
    ConnectionClose,
    ConnectionCloseOk,
    Method,
)
from warren.adapters.amqp091.codec.methods_wire import read_arguments, write_arguments

_CLOSE_IDS = (10, 60)
_CLOSE_OK_IDS = (10, 61)
_CONSUME_IDS = (BasicConsume.CLASS_ID, BasicConsume.METHOD_ID)

_NO_ARGUMENTS_TABLE = b"\0\0\0\0"


def decode(payload: bytes, offset: int, end: int) -> Method:
    """As `methods.decode`, for the payload of a legacy client."""
    if end - offset < 4:
        return methods.decode(payload, offset, end)
    ids = methods.method_ids(payload, offset)
    arguments = payload[offset + 4 : end]
    if ids == _CLOSE_IDS:
        return read_arguments(ConnectionClose, arguments)
    if ids == _CLOSE_OK_IDS:
        return read_arguments(ConnectionCloseOk, arguments)
    if ids == _CONSUME_IDS:
        return read_arguments(BasicConsume, arguments + _NO_ARGUMENTS_TABLE)
    return methods.decode(payload, offset, end)


def encode_frame(channel: int, method: Method) -> bytes:
    """As `methods.encode_frame`, for a legacy client."""
    if isinstance(method, ConnectionClose):
        return methods.frame(channel, b"\0\x0a\0\x3c" + write_arguments(method))
    if isinstance(method, ConnectionCloseOk):
        return methods.frame(channel, b"\0\x0a\0\x3d")
    if isinstance(method, ChannelOpenOk):
        return methods.frame(channel, b"\0\x14\0\x0b")
    return methods.encode_frame(channel, method)
