"""One frame off the fast path: whom it is for, and whether it may come now (AMQP 0-9-1 4.2.3, 4.2.6; spec A.2).

Channel 0 is the connection itself: the handshake's methods, then close.  Any other number is a channel, which takes a
method, or the content of a publish whose method came before.  What is wrong is a BrokerError, and how much that ends is
for `Connection.frame` to say; but an error of a method, or of a content, ends its own channel at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    BASIC_PUBLISH,
    CHANNEL_CLOSE,
    CHANNEL_CLOSE_OK,
    CHANNEL_OPEN,
    CLASS_BASIC,
    CLASS_CONNECTION,
    CLASS_EXCHANGE,
    CLASS_QUEUE,
    FRAME_BODY,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    FRAME_PREFIX_BYTES,
    REPLY_SUCCESS,
)
from warren.adapters.amqp091.frame_errors import frame_error, unexpected_frame
from warren.adapters.amqp091.handlers.table import handle
from warren.adapters.session.ration import TOPOLOGY_WORK
from warren.core.errors import BrokerError, ChannelError, UnexpectedFrame

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.connection import Connection

METHOD_BYTES_LEAST: Final = FRAME_PREFIX_BYTES + 4
"""Class and method id, behind the prefix."""

TOPOLOGY_CLASSES: Final = (CLASS_EXCHANGE, CLASS_QUEUE)

PUBLISH: Final = (CLASS_BASIC, BASIC_PUBLISH)
"""Who is to blame for content that doesn't follow as it should."""

NO_IDS: Final = (0, 0)
"""Nobody is: the frame was all right in itself."""

EXPECTED_METHOD: Final = "expected method frame, got non method frame instead"
"""RabbitMQ's words for content that no publish announced."""


def unexpected_method(state: str) -> str:
    """RabbitMQ's words for a method on channel 0 that isn't due."""
    return f"unexpected method in connection state {state}"


def handle_frame(
    connection: Connection, kind: int, number: int, ids: tuple[int, int], data: bytes, start: int, stop: int
) -> None:
    """Do what the frame `data[start:stop]` asks, or keep it while an alarm holds publishes back, or its channel waits.

    ids: class and method of a method frame, zeros for any other.
    """
    if kind == FRAME_HEARTBEAT:
        if number:
            raise unexpected_frame(kind, _payload(data, start, stop), "heartbeats come on channel 0")
    elif kind not in (FRAME_METHOD, FRAME_HEADER, FRAME_BODY):
        raise frame_error(kind, _payload(data, start, stop), "unknown_frame", "there is no such type")
    elif not number and kind != FRAME_METHOD:
        raise unexpected_frame(kind, _payload(data, start, stop), "channel 0 has no content")
    elif number and connection.state != "running":
        hint = f"channel {number} has to wait in connection state {connection.state}"
        raise unexpected_frame(kind, _payload(data, start, stop), hint)
    elif kind == FRAME_METHOD and stop - start < METHOD_BYTES_LEAST:
        raise frame_error(kind, _payload(data, start, stop), "unknown_frame", "a method has an id of four octets")
    elif connection.due.active and connection.due.wants(kind, number, *ids):
        connection.due.add(kind, number, data[start : stop + 1])
    elif connection.asking.active and connection.asking.wants(kind, number, *ids):
        connection.asking.add(kind, number, data[start : stop + 1])
    elif connection.held.wants(kind, number, *ids):
        connection.held.add(kind, number, data[start : stop + 1])
    elif not number:
        _connection_method(connection, data, start, stop)
    elif kind == FRAME_METHOD:
        _channel_method(connection, number, ids, data, start, stop)
    else:
        _content(connection, kind, number, data, start, stop)


def frame_while_closing(connection: Connection, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
    """After connection.close only its answer counts, or the client's own close; publishes are told of in the log."""
    if kind != FRAME_METHOD or number:
        if kind == FRAME_METHOD and methods.method_ids(data, start + FRAME_PREFIX_BYTES) == PUBLISH:
            connection.ignored_publishes += 1
        return
    try:
        method = connection.decode(data, start + FRAME_PREFIX_BYTES, stop)
    except BrokerError:
        return
    if isinstance(method, methods.ConnectionCloseOk):
        connection.finish()
    elif isinstance(method, methods.ConnectionClose):
        connection.send(0, methods.ConnectionCloseOk())
        connection.finish()


def _connection_method(connection: Connection, data: bytes, start: int, stop: int) -> None:
    method = connection.decode(data, start + FRAME_PREFIX_BYTES, stop)
    if isinstance(method, methods.ConnectionClose):
        if method.reply_code != REPLY_SUCCESS:
            told = f"the client closed the connection: {method.reply_code} {method.reply_text}"
            connection.broker.troubles.note(connection.broker.now_ms, connection.name, told, by_peer=True)
        connection.client_closes()
    elif connection.handshake is not None:
        connection.handshake.method(method)
    elif isinstance(method, methods.ConnectionUpdateSecret):
        connection.renew_secret(method)
    elif isinstance(method, methods.ConnectionCloseOk):
        return
    elif method.CLASS_ID != CLASS_CONNECTION:
        raise ChannelError(f"{unexpected_method(connection.state)}; {method.NAME} is not for channel 0")
    else:
        raise ChannelError(f"{unexpected_method(connection.state)}; {method.NAME} belongs to the handshake")


def _channel_method(
    connection: Connection, number: int, ids: tuple[int, int], data: bytes, start: int, stop: int
) -> None:
    channel = connection.channels.by_number.get(number)
    if channel is None:
        if ids == CHANNEL_OPEN:
            _open_channel(connection, number, data, start, stop)
        elif ids != CHANNEL_CLOSE_OK:
            # A close-ok answers a close that the client's own has settled: both sides closed at once.
            raise ChannelError(f"expected 'channel.open'; channel {number} got {methods.name_of(ids)}")
        return
    if channel.closing:
        _while_closing(connection, channel, ids, data, start, stop)
        return
    if channel.content is not None:
        connection.frame_failed(UnexpectedFrame(channel.content.expected_text()), number, PUBLISH)
        return
    if channel.committing and ids != CHANNEL_CLOSE:
        raise ChannelError("unexpected command while processing 'tx.commit'; wait for tx.commit-ok")
    method = connection.decode(data, start + FRAME_PREFIX_BYTES, stop)
    try:
        if isinstance(method, methods.BasicPublish):
            channel.begin_content(method, data[start:stop])
        else:
            if ids[0] in TOPOLOGY_CLASSES:
                connection.ration.left -= TOPOLOGY_WORK
            handle(channel, method)
    except BrokerError as error:
        connection.frame_failed(error, number, ids)


def _while_closing(
    connection: Connection, channel: Channel, ids: tuple[int, int], data: bytes, start: int, stop: int
) -> None:
    """On a channel that the broker closed, close and close-ok count; open, and what can't be read, are errors."""
    if ids == PUBLISH:
        channel.ignored_publishes += 1
        return
    if ids == CHANNEL_OPEN:
        raise ChannelError(
            "second 'channel.open' seen",
            advice=f"the broker has closed channel {channel.number}: answer with channel.close-ok first",
        )
    connection.decode(data, start + FRAME_PREFIX_BYTES, stop)
    channel.frame_while_closing(ids)


def _open_channel(connection: Connection, number: int, data: bytes, start: int, stop: int) -> None:
    queue_name = ""
    if connection.settings.nodes is not None:
        method = connection.decode(data, start + FRAME_PREFIX_BYTES, stop)
        queue_name = method.out_of_band if isinstance(method, methods.ChannelOpen) else ""
    try:
        connection.channels.open(connection, number, queue_name)
    except BrokerError as error:
        connection.frame_failed(error, number, NO_IDS)


def _content(connection: Connection, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
    channel = connection.channels.by_number.get(number)
    if channel is None:
        raise UnexpectedFrame(f"{EXPECTED_METHOD}; channel {number} isn't open")
    if channel.closing:
        return
    if channel.content is None:
        raise UnexpectedFrame(EXPECTED_METHOD)
    try:
        channel.content_frame(kind, data, start, stop)
    except BrokerError as error:
        connection.frame_failed(error, number, PUBLISH)


def _payload(data: bytes, start: int, stop: int) -> bytes:
    return data[start + FRAME_PREFIX_BYTES : stop]
