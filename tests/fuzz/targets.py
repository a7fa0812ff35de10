"""What is fuzzed: each takes bytes, and raises for what must not happen.

Codecs may refuse bytes by their own errors and by no other.  Sessions and client halves are given whatever a peer may
send: no error leaves them or is logged with a traceback, and when the connection is gone, nothing is left of it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from contextlib import closing
from typing import Final

import h11

from tests.fuzz.judging import Failed, Target, no_tracebacks, pieces
from tests.fuzz.nodes import asked_node, asking_node
from tests.fuzz.operating import control, management
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import handshake_bytes
from tests.support.simulated_stomp import frame as stomp_frame
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.client.connection import ClientConnection as Amqp091Client
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.client.connection import Amqp10Client
from warren.adapters.amqp10.client.login import Amqp10Login
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.decoding import decode as decode_value
from warren.adapters.amqp10.codec.errors import PeerMistake
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame, frame_of
from warren.adapters.amqp10.codec.performatives import Begin, Open
from warren.adapters.detection import Choices, detect
from warren.adapters.http.client.event_stream import EventStream
from warren.adapters.http.client.exchange import Exchanges
from warren.adapters.interface import AcceptCarrier
from warren.adapters.mqtt.client.connection import MqttClient, MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.decode import decode as decode_packet
from warren.adapters.mqtt.codec.encode import encode as encode_packet
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import Connect
from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError
from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode as decode_command
from warren.adapters.stream.codec.encoding import encode as encode_command
from warren.adapters.stream.codec.errors import FrameError
from warren.core.errors import BrokerError
from warren.core.messages.field_table import decode_table
from warren.core.messages.properties import Properties
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.chunk import HEAD_SIZE, decode_head, entries_of
from warren.core.streams.scanning import scan
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import accept_by_protocol
from warren.gateway.control.protocol import decode as decode_line
from warren.gateway.nats.addresses import parse_servers
from warren.gateway.nats.codec import Parser as NatsParser
from warren.gateway.protocols import PROTOCOLS
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.kafka_definition import parse_kafka_uri

SECRET: Final = "Zq7"
"""A part of the password in kept addresses."""

DETECTION_MS: Final = 10_000
NAMES: Final = ("amqp", "amqp10", "mqtt", "stomp", "ws")


# Codecs


def _codec(decode: Callable[[bytes], object], *allowed: type[Exception]) -> Target:
    def target(data: bytes) -> None:
        try:
            decode(data)
        except allowed:
            return

    return target


def _all_packets(level: int) -> Callable[[bytes], object]:
    def decode(data: bytes) -> None:
        position = 0
        while (decoded := decode_packet(data, position, len(data), level)) is not None:
            if decoded[1] <= position:
                raise Failed("a packet of no bytes")
            position = decoded[1]

    return decode


def _chunk(data: bytes) -> object:
    return list(entries_of(decode_head(data), data[HEAD_SIZE:]))


def _nats(data: bytes) -> object:
    parser = NatsParser()
    return [parser.feed(piece) for piece in pieces(data)]


def _events(data: bytes) -> object:
    stream = EventStream()
    return [list(stream.receive(piece)) for piece in pieces(data)]


# Sessions


@functools.cache
def _accepts() -> tuple[AcceptCarrier, AcceptCarrier]:
    """By the first bytes, and the stream protocol, which has its own port."""
    by_protocol = accept_by_protocol(Config(), [*NAMES, "stream"])
    adapters = {name: PROTOCOLS.adapter(name) for name in NAMES}
    choices = Choices(adapters, {name: by_protocol[name] for name in NAMES}, None, DETECTION_MS)
    return detect(choices), by_protocol["stream"]


def _session(hello: bytes = b"", *, is_stream: bool = False) -> Target:
    """A session that was sent `hello`."""

    def target(data: bytes) -> None:
        broker = SimulatedBroker()
        with no_tracebacks(), closing(broker):
            transport = SimulatedTransport()
            transport.unkept = broker.broker.unkept
            transport.start(*_accepts()[is_stream](broker.broker, transport))
            transport.receive(hello)
            broker.settle()
            for piece in pieces(data):
                transport.receive(piece)
                broker.broker.end_turn()
            broker.settle()
            broker.advance(60_000)
            transport.lose()
            broker.settle()
            if broker.broker.sessions:
                raise Failed(f"{list(broker.broker.sessions)} is left")
            for queue in broker.vhost.queues.values():
                if queue.unacked_count:
                    raise Failed(f"{queue.name} counts {queue.unacked_count} unacknowledged messages")

    return target


def _amqp10_hello() -> bytes:
    init = sasl.SaslInit()
    init.mechanism = "PLAIN"
    init.initial_response = b"\0guest\0guest"
    begin = Begin()
    begin.incoming_window = begin.outgoing_window = 100
    opened = frame_of(0, encode_composite(Open("fuzz"))) + frame_of(0, encode_composite(begin))
    return SASL_HEADER + frame(0, init, SASL_FRAME) + AMQP_HEADER + opened


def _stream_hello() -> bytes:
    said = (
        commands.PeerProperties(1, {}),
        commands.SaslHandshake(2),
        commands.SaslAuthenticate(3, "PLAIN", b"\0guest\0guest"),
        commands.Tune(0, 0),
        commands.Open(4, "/"),
        commands.Create(5, "s", {}),
    )
    return b"".join(map(encode_command, said))


AMQP091_HELLO: Final = handshake_bytes() + b"".join(
    methods.encode_frame(1, method)
    for method in (methods.ChannelOpen(), methods.QueueDeclare(queue="q"), methods.ConfirmSelect())
)
STOMP_HELLO: Final = stomp_frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest")
WEBSOCKET_HELLO: Final = (
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: v12.stomp\r\n\r\n"
)


# Client halves


def _client(make: Callable[[], ClientHalf]) -> Target:
    def target(data: bytes) -> None:
        client = make()
        client.take()
        for piece in pieces(data):
            client.receive(piece, 0)
            client.take()
        client.advance(3_600_000)
        client.end(PeerError("the connection is gone"))
        if client.closed is None:
            raise Failed("it isn't closed")

    return target


def _http_client(data: bytes) -> None:
    exchanges = Exchanges()
    exchanges.request("GET", "/", [("Host", "here")], b"")
    for piece in (*pieces(data), b""):
        list(exchanges.receive(piece))


def _http_server(data: bytes) -> None:
    """What the management API's server is built on: nothing of ours comes before it."""
    http = h11.Connection(h11.SERVER)
    for piece in pieces(data):
        http.receive_data(piece)
        while (event := http.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
            if isinstance(event, h11.ConnectionClosed):
                return


def _stream_segment(data: bytes) -> object:
    """What a start reads of a stream's segment; whatever is in it, it is passed over."""
    return list(scan(lambda size, at: data[at : at + size], 0, 0, len(data)))


def _shovel(data: bytes) -> object:
    """What a policymaker may write as a shovel."""
    value = json.loads(data)
    return read_definition(value) if isinstance(value, dict) else None


def _addresses(data: bytes) -> object:
    """Of other brokers and servers, each as it is written; a password never stands in what is said of them."""
    text = data.decode("utf-8", "replace")
    for parse in (parse_uri, parse_mqtt_uri, parse_kafka_uri, parse_servers):
        try:
            parse(text)
        except (BrokerError, ValueError) as error:
            login = text.partition("@")[0]
            if (
                text.count("@") == text.count(SECRET) == 1
                and SECRET in login
                and "," not in login
                and SECRET in str(error)
            ):
                raise Failed(f"the password is told: {error}") from error
    return None


def _json_lines(data: bytes) -> None:
    for line in data.splitlines():
        json.dumps(decode_line(line))


TARGETS: Final[dict[str, Target]] = {
    "codec-amqp091-methods": _codec(lambda data: methods.decode(data, 0, len(data)), BrokerError),
    "codec-amqp091-properties": _codec(Properties.parse, BrokerError),
    "codec-amqp091-tables": _codec(lambda data: decode_table(data, 0), BrokerError),
    "codec-amqp10-values": _codec(decode_value, PeerMistake),
    "codec-amqp10-performatives": _codec(lambda data: decode_composite(data, 0, len(data)), PeerMistake),
    "codec-mqtt-31": _codec(_all_packets(versions.V3_1), PacketError),
    "codec-mqtt-311": _codec(_all_packets(versions.V3_1_1), PacketError),
    "codec-mqtt-5": _codec(_all_packets(versions.V5), PacketError),
    "codec-stream": _codec(decode_command, FrameError),
    "codec-stream-chunks": _codec(_chunk, DamagedRecordError),
    "codec-nats": _codec(_nats),
    "codec-events": _codec(_events, PeerError),
    "disk-stream": _codec(_stream_segment),
    "definition-shovel": _codec(_shovel, BrokerError, ValueError, RecursionError),
    "definition-addresses": _codec(_addresses),
    "codec-control": _codec(_json_lines, ValueError),
    "session-any": _session(),
    "session-amqp091": _session(AMQP091_HELLO),
    "session-amqp10": _session(_amqp10_hello()),
    "session-mqtt-311": _session(encode_packet(Connect("fuzz", versions.V3_1_1), versions.V3_1_1)),
    "session-mqtt-5": _session(encode_packet(Connect("fuzz"), versions.V5)),
    "session-stomp": _session(STOMP_HELLO),
    "session-stream": _session(_stream_hello(), is_stream=True),
    "session-websocket": _session(WEBSOCKET_HELLO),
    "session-control": control,
    "session-management": management,
    "session-node": asked_node,
    "client-node": asking_node,
    "client-amqp091": _client(lambda: Amqp091Client(Login("fuzz", "1", "fuzz"), 0)),
    "client-amqp10": _client(lambda: Amqp10Client(Amqp10Login("here", "ANONYMOUS", "fuzz"), 0)),
    "client-mqtt": _client(lambda: MqttClient(MqttLogin("fuzz"), ClientMemory(), 0)),
    "client-stomp": _client(lambda: StompClient(StompLogin(), 0)),
    "client-http": _codec(_http_client, PeerError),
    "server-http": _codec(_http_server, h11.RemoteProtocolError),
}
"""By what is fuzzed, and whose side it is."""
