"""One AMQP 0-9-1 connection on the broker's side: bytes in, broker calls, bytes out.

Theory of operation
-------------------
`receive` runs one loop over all frames of a read.  The loop knows one thing by heart: a `basic.publish` whose method
frame, as raw bytes, was seen before on this connection.  Such a publish is one entry of `known`, which remembers what
the bytes led to (core.routing.known_routes), and its header and body frames follow in the same buffer in nearly
all cases, so that exchange, routing key, flags and permissions are neither parsed nor checked again.  Everything else
goes frame by frame through `_frame`, the cold path, which is also where every error comes from.

Phases: the handshake (see handshake.py) -> running -> closing (we sent connection.close and wait for close-ok; other
frames are ignored) -> closed.  A frame error can't be recovered from, so after one the rest of the input is dropped.

While an alarm blocks publishing, frames of channels that try to publish are held back in order, except acks, which go
on (spec A.3, connection.blocked); past a limit the connection isn't read any more.  See held_frames.py.

Longer than 400 lines because the loop, the cold path and the phases share the state of one connection.
"""

from __future__ import annotations

import logging
from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.channel import Channel
from warren.adapters.amqp091.codec import methods, methods_legacy
from warren.adapters.amqp091.codec.constants import (
    CLASS_BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_MAX_INITIAL_BYTES,
    FRAME_METHOD,
    FRAME_OVERHEAD_BYTES,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL, HEARTBEAT_FRAME
from warren.adapters.amqp091.codec.texts import short_text
from warren.adapters.amqp091.handlers.table import handle
from warren.adapters.amqp091.handshake import Handshake
from warren.adapters.amqp091.held_frames import HeldFrame, HeldFrames
from warren.adapters.amqp091.listing import AmqpChannelRow, AmqpConnectionRow
from warren.adapters.amqp091.publishing import KNOWN_PUBLISHES_MAX, KnownPublish
from warren.adapters.first_bytes import hint
from warren.adapters.session.admission import refuse
from warren.adapters.session.liveness import Beats, Silence
from warren.adapters.session.read_gate import ReadGate
from warren.adapters.session.unread import UnreadReplies
from warren.core.clients.client import Client
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import connection_name
from warren.core.declaring.queues import end_client
from warren.core.errors import (
    BrokerError,
    ChannelError,
    CommandInvalid,
    ConnectionForced,
    FrameError,
    InternalError,
    NotAllowed,
    ResourceError,
    Scope,
    UnexpectedFrame,
)
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.routing.known_routes import KnownRoutes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from warren.adapters.amqp091.settings import Amqp091Settings
    from warren.adapters.session.deliveries import Deliveries
    from warren.core.access.accounts import LoginRefused
    from warren.core.broker import Broker
    from warren.core.clients.transport import Transport
    from warren.core.deadlines import Deadline
    from warren.core.messages.field_table import FieldValue

_log = logging.getLogger("warren.amqp")

_unpack_method_frame = Struct(">BHIHH").unpack_from
_unpack_content_header = Struct(">BHIHHQ").unpack_from
_unpack_ack = Struct(">QB").unpack_from
_unpack_envelope = Struct(">BHI").unpack_from

METHOD_FRAME_LEAST: Final = 12
"""Envelope, class id, method id and end octet: what the loop needs to see of a method frame."""

ACK_PAYLOAD_BYTES: Final = 13
"""basic.ack: ids, delivery tag, the octet of the multiple bit."""

HEADER_PROPERTIES_AT: Final = 19
"""Where the property list begins in a content header frame, envelope included."""

PROPERTY_LISTS_MAX: Final = 256
"""Property lists remembered by their bytes; clients that vary them per message get little from it, and cost little."""

PROPERTY_LIST_BYTES_MAX: Final = 256
"""Longer lists are hardly constant, and not kept."""

_NOTHING_KNOWN: Final[Mapping[bytes, KnownPublish]] = {}

_SPECIAL_PROPERTIES: Final = encode_properties(priority=0)

UNFINISHED_MESSAGES_MAX: Final = 4
"""Of the largest size: what the channels of one connection may have begun to publish and not finished, in memory."""

CLOSE_OK_WAIT_MS: Final = 30_000
"""How long a client may take to answer connection.close, at most (spec A.3.11)."""


class Connection:
    """A session in the sense of core.clients.transport.Session; made by the listener for each accepted socket.

    known: the publishes that it remembers; there once the virtual host is open.
    """

    known: KnownRoutes[KnownPublish]

    def __init__(self, broker: Broker, transport: Transport, settings: Amqp091Settings) -> None:
        self.broker = broker
        self.transport = transport
        self.settings = settings
        self.outbox = Outbox(broker.touched, transport)
        self.channels: dict[int, Channel] = {}
        self.contents_open = 0
        self._content_bytes = 0
        self.client: Client | None = None
        self.capabilities: frozenset[str] = frozenset()
        self.decode = methods.decode
        self.encode_frame = methods.encode_frame
        self.frame_max = FRAME_MAX_INITIAL_BYTES
        self.channel_max = settings.channel_max
        self.heartbeat_s = 0
        self.mechanism = ""
        self.client_properties: Mapping[str, FieldValue] = {}
        self.connected_at_ms = broker.now_ms
        self.state = "starting"
        self.name = connection_name(transport)
        self.provided_name = ""
        self._tail = b""
        self._closed = False
        self.read_gate = ReadGate(transport)
        self._unread = UnreadReplies(broker, self.outbox, self.read_gate, settings.unread_timeout_ms)
        self._close_ok: Deadline | None = None
        self._beats: Beats | None = None
        self._silence: Silence | None = None
        self._property_lists: dict[bytes, Properties] = {}
        self._held = HeldFrames(broker.alarms, self.read_gate, self._tell_of_alarm)
        self._handshake: Handshake | None = Handshake(self)
        self._confirming: list[Channel] = []
        self._handshake_deadline = broker.deadlines.schedule(
            broker.now_ms + settings.handshake_timeout_ms, self._handshake_expired
        )
        broker.sessions[self] = None

    # Session interface

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; answers are in the outbox afterwards."""
        if self._closed:
            return
        if self._tail:
            data = self._tail + data
            self._tail = b""
        try:
            position = 0
            if self._handshake is not None:
                position = self._handshake.header(data)
                if self._closed:
                    return
            if self._unread.suspended or (self._handshake is not None and not self._handshake.header_seen):
                self._tail = data[position:]
            else:
                position = self._parse(data, position)
                if position < len(data):
                    self._tail = data[position:]
        except Exception as error:
            self._break(error)
        if self._closed:
            self._tail = b""
            return
        for channel in self._confirming:
            channel.confirm_batch()
        self._unread.look()

    def drained(self) -> None:
        """The peer has read what it was sent: go on with commands that waited for that."""
        if not self._unread.suspended:
            return
        self._unread.read()
        self._held.release(self._handle_held)
        if not self._unread.suspended:
            self.receive(b"")

    def connection_lost(self, reason: str) -> None:
        """Everything that dies with the socket: channels, consumers, exclusive queues."""
        if self.state != "closed":
            _log.warning(
                "connection %s (%s) lost: %s",
                self.name,
                self.client.user.name if self.client else "-",
                reason,
            )
        self.broker.refused_logins.forget(self)
        self._end()
        self._closed = True
        self.broker.sessions.pop(self, None)

    def shut_down(self, reason: str) -> None:
        """Close with 320 CONNECTION_FORCED."""
        if self.state == "running":
            self.close(ConnectionForced(reason), 0, 0)
        elif self.state != "closing" and not self.broker.refused_logins.answer_now(self):
            self.transport.close()

    def force_close(self, reason: str) -> None:
        """An operator's wish: 320 with the reason given."""
        self.shut_down(reason)

    # Sending

    def send(self, channel: int, method: methods.Method) -> None:
        """Send a method without content."""
        self.outbox.write(self.encode_frame(channel, method))

    # The loop

    def _parse(self, data: bytes, position: int) -> int:
        """Handle all whole frames from `position`; the position of the first frame that isn't whole yet."""
        end = len(data)
        broker = self.broker
        channels = self.channels
        property_lists = self._property_lists
        payload_max = min(self.frame_max, self.settings.message_bytes_max)
        known = self._known_now()
        while end - position >= METHOD_FRAME_LEAST:
            kind, number, size, class_id, method_id = _unpack_method_frame(data, position)
            stop = position + 7 + size
            if method_id == 40 and class_id == CLASS_BASIC and stop < end:
                publish = known.get(data[position:stop])
                header = stop + 1
                if publish is not None and end - header > HEADER_PROPERTIES_AT:
                    (
                        header_kind,
                        header_number,
                        header_size,
                        header_class,
                        weight,
                        body_size,
                    ) = _unpack_content_header(data, header)
                    header_stop = header + 7 + header_size
                    if body_size:
                        body = header_stop + 8
                        body_stop = body + body_size
                        whole = (
                            body_stop < end
                            and _unpack_envelope(data, body - 7) == (FRAME_BODY, number, body_size)
                            and data[body_stop] == FRAME_END
                            and body_size <= payload_max
                        )
                    else:
                        body = body_stop = header_stop
                        whole = header_stop < end
                    if (
                        whole
                        and header_kind == FRAME_HEADER
                        and header_number == number
                        and header_class == CLASS_BASIC
                        and not weight
                        and data[stop] == FRAME_END
                        and data[header_stop] == FRAME_END
                        and header_size <= payload_max
                    ):
                        properties = property_lists.get(data[header + HEADER_PROPERTIES_AT : header_stop])
                        if properties is None:
                            properties = self._remember_properties(data[header + HEADER_PROPERTIES_AT : header_stop])
                        if not properties.special:
                            broker.sequence = sequence = broker.sequence + 1
                            position = body_stop + 1
                            message = Message(
                                sequence,
                                publish.address,
                                properties,
                                data[header:position],
                                body - header,
                                body_size,
                                FRAMED_FOR_CHANNEL + number,
                                broker.now_ms,
                            )
                            for queue in publish.queues:
                                queue.append(message)
                            confirms = publish.confirms
                            if properties.persistent and publish.store_ids:
                                broker.store.append(message, publish.store_ids)
                                if confirms is not None:
                                    confirms.published += 1
                                    confirms.last_stored = confirms.published
                            elif confirms is not None:
                                confirms.published += 1
                            continue
            elif method_id == 80 and size == ACK_PAYLOAD_BYTES and stop < end and data[stop] == FRAME_END:
                channel = channels.get(number)
                tag, multiple = _unpack_ack(data, position + 11)
                if (
                    channel is not None
                    and not multiple
                    and class_id == CLASS_BASIC
                    and kind == FRAME_METHOD
                    and channel.acknowledge(tag)
                ):
                    position = stop + 1
                    continue
            if stop >= end:
                self._check_size(size)
                break
            if data[stop] != FRAME_END:
                raise FrameError(
                    f"frame of type {kind} on channel {number} ends with octet {data[stop]:#04x}, not 0xce"
                )
            self._frame(kind, number, data, position, stop)
            position = stop + 1
            if self._closed or self._unread.suspended:
                return position
            payload_max = min(self.frame_max, self.settings.message_bytes_max)
            known = self._known_now()
        return self._parse_short(data, position) if 8 <= end - position < METHOD_FRAME_LEAST else position

    def _parse_short(self, data: bytes, position: int) -> int:
        """What the loop leaves: frames too short to be a method (heartbeats, empty bodies), or their beginning."""
        end = len(data)
        while end - position >= 8 and not self._closed and not self._unread.suspended:
            kind, number, size = _unpack_envelope(data, position)
            stop = position + 7 + size
            if stop >= end:
                self._check_size(size)
                break
            if data[stop] != FRAME_END:
                raise FrameError(
                    f"frame of type {kind} on channel {number} ends with octet {data[stop]:#04x}, not 0xce"
                )
            self._frame(kind, number, data, position, stop)
            position = stop + 1
        return position

    def _check_size(self, size: int) -> None:
        # frame_max counts the 8 octets around the payload; 8 more are tolerated (spec A.1).
        if size > self.frame_max:
            raise FrameError(
                f"frame payload of {size} octets is larger than the negotiated frame_max allows "
                f"({self.frame_max - FRAME_OVERHEAD_BYTES})"
            )

    def _known_now(self) -> Mapping[bytes, KnownPublish]:
        """The remembered publishes, unless frames must be taken one by one: within a content, or behind held ones."""
        if self.client is None or self.contents_open or self._held.active:
            return _NOTHING_KNOWN
        return self.known.now()

    def content_begun(self) -> None:
        """A channel waits for the content of a publish."""
        self.contents_open += 1

    def content_grown(self, body_bytes: int) -> None:
        """So much more of an unfinished body is kept; ResourceError (506) when it is too much on this connection."""
        self._content_bytes += body_bytes
        limit = UNFINISHED_MESSAGES_MAX * self.settings.message_bytes_max
        if self._content_bytes > limit:
            raise ResourceError(
                f"unfinished messages on the channels of this connection exceed {limit} bytes; finish some first"
            )

    def content_ended(self, body_bytes: int) -> None:
        """The content is complete, or void."""
        self.contents_open -= 1
        self._content_bytes -= body_bytes

    def _remember_properties(self, raw: bytes) -> Properties:
        """The parsed property list; a malformed one is left, by way of being special, to the cold path to refuse."""
        try:
            properties = Properties.parse(raw)
        except BrokerError:
            return _SPECIAL_PROPERTIES
        if len(raw) <= PROPERTY_LIST_BYTES_MAX and not properties.special:
            if len(self._property_lists) >= PROPERTY_LISTS_MAX:
                self._property_lists.clear()
            self._property_lists[raw] = properties
        return properties

    # The cold path

    def _frame(self, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
        """Handle one whole frame, `data[start:stop]` plus its end octet; errors end a channel or the connection."""
        self._check_size(stop - start - 7)
        if self.state == "closing":
            self._frame_while_closing(kind, number, data, start, stop)
            return
        class_id, method_id = methods.method_ids(data, start + 7) if kind == FRAME_METHOD else (0, 0)
        try:
            if kind == FRAME_HEARTBEAT:
                if number:
                    raise UnexpectedFrame(f"heartbeat frame on channel {number}, must be 0")
            elif kind == FRAME_METHOD and not number:
                if self._held.wants(kind, number, class_id, method_id):
                    self._held.add(kind, number, data[start : stop + 1])
                else:
                    self._connection_method(class_id, method_id, data, start + 7, stop)
            elif kind in (FRAME_METHOD, FRAME_HEADER, FRAME_BODY):
                if not number:
                    raise UnexpectedFrame("content frame on channel 0")
                if self.state != "running":
                    raise ChannelError(f"unexpected frame on channel {number} in connection state {self.state}")
                if self._held.wants(kind, number, class_id, method_id):
                    self._held.add(kind, number, data[start : stop + 1])
                else:
                    self.channel_frame(kind, number, data, start, stop)
            else:
                raise FrameError(f"unknown frame type {kind}")
        except BrokerError as error:
            self._frame_failed(error, number, class_id, method_id)
        if not self._closed:
            self._unread.look()

    def channel_frame(self, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
        """Handle a frame of an open or opening channel."""
        channel = self.channels.get(number)
        if kind == FRAME_METHOD:
            class_id, method_id = methods.method_ids(data, start + 7)
            if channel is None:
                if (class_id, method_id) == (20, 10):
                    self._open_channel(number)
                    return
                if (class_id, method_id) == (20, 41):
                    # Both sides closed at once: this answers a close that the client's own has settled.
                    return
                raise ChannelError(
                    f"expected 'channel.open' on channel {number}, got class {class_id} method {method_id}"
                )
            if channel.closing:
                channel.frame_while_closing(class_id, method_id)
                return
            if channel.content is not None:
                raise UnexpectedFrame(channel.content.expected_text())
            if channel.committing and (class_id, method_id) != (20, 40):
                raise ChannelError("command during tx.commit: wait for tx.commit-ok")
            method = self.decode(data, start + 7, stop)
            try:
                if isinstance(method, methods.BasicPublish):
                    channel.begin_content(method, data[start:stop])
                else:
                    handle(channel, method)
            except BrokerError as error:
                self._frame_failed(error, number, class_id, method_id)
            return
        if channel is None:
            raise ChannelError(f"expected 'channel.open' on channel {number}, got a content frame")
        if channel.closing:
            return
        if channel.content is None:
            raise UnexpectedFrame("expected method frame, got non method frame instead")
        try:
            channel.content_frame(kind, data, start, stop)
        except BrokerError as error:
            self._frame_failed(error, number, CLASS_BASIC, 40)

    def _open_channel(self, number: int) -> None:
        if number > self.channel_max or len(self.channels) >= self.channel_max:
            raise NotAllowed(
                f"number of channels opened ({len(self.channels)}) has reached the negotiated channel_max "
                f"({self.channel_max}), or channel number {number} is above it"
            )
        if self.client is not None:
            self.client.open_channel()
        self.channels[number] = Channel(self, number)
        self.send(number, methods.ChannelOpenOk())

    def _connection_method(self, class_id: int, method_id: int, data: bytes, start: int, stop: int) -> None:
        method = self.decode(data, start, stop)
        if self._handshake is not None and not isinstance(method, methods.ConnectionClose):
            self._handshake.method(method)
            return
        if isinstance(method, methods.ConnectionClose):
            self._client_closes()
        elif isinstance(method, methods.ConnectionUpdateSecret):
            self.send(0, methods.ConnectionUpdateSecretOk())
        elif isinstance(method, methods.ConnectionCloseOk):
            pass
        elif method.CLASS_ID != 10:
            raise CommandInvalid(f"method {method.NAME} is not for channel 0")
        else:
            raise ChannelError(f"unexpected method in connection state {self.state}: {method.NAME}")

    def _frame_while_closing(self, kind: int, number: int, data: bytes, start: int, stop: int) -> None:
        if kind != FRAME_METHOD or number:
            return
        try:
            method = self.decode(data, start + 7, stop)
        except BrokerError:
            return
        if isinstance(method, methods.ConnectionCloseOk):
            self._finish()
        elif isinstance(method, methods.ConnectionClose):
            self.send(0, methods.ConnectionCloseOk())
            self._finish()

    # Phases

    def use_legacy_dialect(self) -> None:
        """The client's header says AMQP 0-8, or what is numbered like it."""
        self.decode = methods_legacy.decode
        self.encode_frame = methods_legacy.encode_frame

    def opened(self, client: Client) -> None:
        """The handshake is through: connection.open-ok goes out, the connection runs."""
        self.client = client
        self.known = KnownRoutes(client.vhost, KNOWN_PUBLISHES_MAX)
        self.state = "running"
        self._handshake = None
        self._handshake_deadline.cancel()
        self.broker.alarms.listen(self._alarms_changed)
        if self.heartbeat_s:
            interval_ms = self.heartbeat_s * 1000
            self._beats = Beats(self.broker, self.outbox, interval_ms, HEARTBEAT_FRAME)
            self._silence = Silence(self.broker, self.transport, self.read_gate, interval_ms, self._peer_is_silent)

    def _peer_is_silent(self) -> None:
        _log.warning("connection %s: missed heartbeats from client, timeout: %ds", self.name, self.heartbeat_s)
        self.state = "closed"
        self.transport.abort()

    def confirming(self, channel: Channel) -> None:
        """Look at this channel's confirms at the end of every batch."""
        self._confirming.append(channel)

    def channel_failed(self, channel: Channel, error: BrokerError) -> None:
        """Close a channel for a reason that no frame of the client's gave."""
        _log.info("connection %s channel %d: %s", self.name, channel.number, error.reply_text)
        channel.fail(error, 0, 0)

    def channel_closed(self, channel: Channel) -> None:
        """The channel's number is free again."""
        if self.channels.pop(channel.number, None) is not None:
            channel.client.close_channel()
        if channel in self._confirming:
            self._confirming.remove(channel)
        self._held.drop(channel.number)

    def drop_held(self, number: int) -> None:
        """The channel is being closed: what an alarm held back for it is void."""
        self._held.drop(number)

    def close(self, error: BrokerError, class_id: int, method_id: int) -> None:
        """Close with `error`: channels end at once, the socket when the client answers or has had its time."""
        self._fail(error, class_id, method_id)
        self.state = "closing"
        wait_ms = min(self.heartbeat_s * 1000 or CLOSE_OK_WAIT_MS, CLOSE_OK_WAIT_MS)
        self._close_ok = self.broker.deadlines.schedule(self.broker.now_ms + wait_ms, self._close_ok_expired)

    def refuse_protocol(self, start: bytes) -> None:
        """What came is no protocol header that is served: say which one is, and close."""
        _log.warning(
            "connection %s: sent %r instead of an AMQP 0-9-1 protocol header%s; closing it",
            self.name,
            start,
            hint(start, "amqp"),
        )
        self.outbox.write(PROTOCOL_HEADER)
        self._finish()

    def authentication_failed(self, error: LoginRefused) -> None:
        """Refuse the login, late: told to clients that understand it, a closed socket for the others (spec A.3.9)."""
        _log.warning("connection %s: %s login refused: %s", self.name, self.mechanism, error.reason)
        self._end()
        self.state = "closed"
        self._closed = True
        refuse(self.broker, self, lambda: self._answer_refused_login(error))

    def _answer_refused_login(self, error: LoginRefused) -> None:
        if "authentication_failure_close" in self.capabilities:
            self._send_close(error, 0, 0)
        self.transport.close()

    def _frame_failed(self, error: BrokerError, number: int, class_id: int, method_id: int) -> None:
        """Close what the error's scope says: a channel, or the connection."""
        if error.scope is not Scope.CONNECTION and number in self.channels:
            channel = self.channels[number]
            _log.info("connection %s channel %d: %s", self.name, number, error.reply_text)
            channel.fail(error, class_id, method_id)
            return
        if isinstance(error, FrameError):
            raise error
        if self.state != "running":
            # Before connection.open-ok, or on the way out, a client may not expect to be told; tell it and go.
            self._fail(error, class_id, method_id)
            self._finish()
            return
        self.close(error, class_id, method_id)

    def _break(self, error: Exception) -> None:
        """What nothing can follow, a broken frame or a bug of ours: say so, unless that has been done, and close."""
        if not isinstance(error, BrokerError):
            _log.error("connection %s: internal error; closing it", self.name, exc_info=error)
            error = InternalError("internal error; the broker's log has the details")
        if self.state != "closing":
            self._fail(error, 0, 0)
        self._finish()

    def _fail(self, error: BrokerError, class_id: int, method_id: int) -> None:
        _log.warning("connection %s: closing it: %s", self.name, error.reply_text)
        self._end()
        self._send_close(error, class_id, method_id)

    def _send_close(self, error: BrokerError, class_id: int, method_id: int) -> None:
        self.send(0, methods.ConnectionClose(error.code, short_text(error.reply_text), class_id, method_id))

    def _client_closes(self) -> None:
        self._end()
        self.send(0, methods.ConnectionCloseOk())
        self._finish()

    def _finish(self) -> None:
        """Nothing more is to be said or heard."""
        self._end()
        self.state = "closed"
        self._closed = True
        self.transport.close()

    def _end(self) -> None:
        """End channels, consumers and exclusive queues; before close-ok, as clients rely on (spec A.3.11)."""
        self._handshake_deadline.cancel()
        self._forget_deadlines()
        if self._beats is not None:
            self._beats.stop()
        if self._silence is not None:
            self._silence.stop()
        self.broker.alarms.unlisten(self._alarms_changed)
        self._held.clear()
        for channel in list(self.channels.values()):
            channel.confirm_batch()
            channel.end()
        self.channels.clear()
        self._confirming.clear()
        if self.client is not None:
            end_client(self.client)
            self.client = None

    def _forget_deadlines(self) -> None:
        self._unread.stop()
        if self._close_ok is not None:
            self._close_ok.cancel()
            self._close_ok = None

    def _handshake_expired(self, now_ms: int) -> None:
        _log.warning(
            "connection %s: no connection.open within %d s of connecting; closing it",
            self.name,
            self.settings.handshake_timeout_ms // 1000,
        )
        self.state = "closed"
        self.transport.abort()

    def _close_ok_expired(self, now_ms: int) -> None:
        if self.state == "closing" and not self._closed:
            self.state = "closed"
            self.transport.abort()

    def _alarms_changed(self) -> None:
        self._held.alarms_changed()
        if not self._unread.suspended:
            self._held.release(self._handle_held)

    def _tell_of_alarm(self, method: methods.Method) -> None:
        if "connection.blocked" in self.capabilities:
            self.send(0, method)

    @property
    def reported_state(self) -> str:
        """The state as listings show it; `blocked` while an alarm holds its publishes."""
        return "blocked" if self._held.active else self.state

    def _handle_held(self, frames: list[HeldFrame]) -> int:
        """Handle frames that an alarm held back, as far as the peer reads the answers; how many were done with."""
        count = 0
        try:
            for kind, number, frame in frames:
                if self._unread.suspended:
                    break
                count += 1
                if self.state == "running":
                    self._frame(kind, number, frame, 0, len(frame) - 1)
        except Exception as error:
            self._break(error)
        for channel in self._confirming:
            channel.confirm_batch()
        return count

    # Listings

    def connection_row(self) -> AmqpConnectionRow:
        """Its row in list_connections."""
        return AmqpConnectionRow(self)

    def ack_holders(self) -> Iterable[Deliveries]:
        """What its channels were given, for the acknowledgement timeout."""
        return [channel.deliveries for channel in self.channels.values()]

    def channel_rows(self) -> list[AmqpChannelRow]:
        """The rows of its channels in list_channels."""
        row = self.connection_row()
        return [AmqpChannelRow(row, channel) for channel in self.channels.values()]
