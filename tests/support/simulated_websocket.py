"""HTTP and WebSocket clients of a simulated broker; wsproto's own client side takes apart what comes back.

What is sent can be cut anywhere: `cut` is "whole", "byte by byte", or a seed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h11
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.websocket.adapter import configure
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import options_of

KEY = b"\x37\xfa\x21\x3d"
"""The masking key of RFC 6455's own examples (5.7)."""

MQTT_CONNECT = bytes.fromhex("100c00044d515454040200000000")
"""MQTT 3.1.1, clean session, no client identifier: an anonymous login, no keep-alive."""

STOMP_CONNECT = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0"

AMQP_HEADER = b"AMQP\0\0\x09\1"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, for people."""
        return self.body.decode()


def frame(first: int, payload: bytes = b"", *, masked: bool = True, size: int | None = None) -> bytes:
    """A client's frame.  first: FIN, reserved bits, opcode.  size: bytes for the length (0, 2, 8), unless the least."""
    length = len(payload)
    if size is None:
        size = 0 if length < 126 else 2 if length < 65536 else 8
    short = {0: length, 2: 126, 8: 127}[size]
    head = bytes((first, short | (0x80 if masked else 0))) + (length.to_bytes(size, "big") if size else b"")
    if not masked:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))


class WebSocketClient:
    """One connection to a WebSocket listener of a simulated broker; changes: keys of the configuration."""

    def __init__(self, simulated: SimulatedBroker, peer_host: str = "127.0.0.1", **changes: object) -> None:
        self.simulated = simulated
        config = Config(in_memory=True, **changes)  # type: ignore[arg-type]
        self.transport = SimulatedTransport(peer_host, 40_000)
        self.transport.unkept = simulated.broker.unkept
        self.transport.port = 15674
        session, outbox = configure(options_of(config))(simulated.broker, self.transport)
        self.transport.start(session, outbox)
        self.socket = WSConnection(ConnectionType.CLIENT)
        self.subprotocol: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection."""
        return self.transport.closed

    # Bytes

    def send(self, data: bytes, cut: str = "whole") -> None:
        """Send bytes, cut as the head of this file says."""
        for piece in _pieces(data, cut):
            self.transport.receive(piece)
        self.simulated.settle()

    def request(self, head: str, cut: str = "whole") -> Answer:
        """Send a request, its lines written with plain newlines, and take the one answer."""
        self.send(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n", cut)
        (answer,) = self.answers(head.partition(" ")[0])
        return answer

    def answers(self, *methods: str) -> list[Answer]:
        """The HTTP responses that have come, to requests with these methods (GET when there are more)."""
        data = self.transport.take()
        found: list[Answer] = []
        while data:
            method = methods[len(found)] if len(found) < len(methods) else "GET"
            answer, data = _answer(data, method)
            found.append(answer)
        return found

    # WebSocket

    def upgrade(
        self,
        path: str = "/ws",
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        *,
        compressed: bool = False,
        then: bytes = b"",
        cut: str = "whole",
    ) -> AcceptConnection:
        """The opening handshake; it must be accepted.  then: what is sent in one piece with the request."""
        extensions: list[Extension] = [PerMessageDeflate()] if compressed else []
        extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        sent = self.socket.send(
            Request(
                host="broker", target=path, subprotocols=list(subprotocols), extensions=extensions, extra_headers=extra
            )
        )
        self.send(sent + then, cut)
        accepted, *self._early = self.events()
        assert isinstance(accepted, AcceptConnection), accepted
        self.subprotocol = accepted.subprotocol
        return accepted

    _early: Sequence[Event] = ()

    def stomp(self, **changes: str) -> WebSocketClient:
        """Upgraded and logged in."""
        self.upgrade(subprotocols=["v12.stomp"])
        self.send(frame(0x81, STOMP_CONNECT))
        assert self.text().startswith("CONNECTED\n")
        return self

    def mqtt(self, *, compressed: bool = False) -> WebSocketClient:
        """Upgraded and logged in."""
        self.upgrade(subprotocols=["mqtt"], compressed=compressed)
        self.send(frame(0x82, MQTT_CONNECT))
        assert self.binary() == b"\x20\2\0\0"
        return self

    def events(self) -> list[Event]:
        """What has come since the last call.  Pings aren't answered."""
        early, self._early = list(self._early), ()
        data = self.transport.take()
        if data:
            self.socket.receive_data(data)
        return early + list(self.socket.events())

    def text(self) -> str:
        """The whole of the one text message that has come."""
        events = self.events()
        assert events, "nothing came"
        assert all(isinstance(event, TextMessage) for event in events), events
        assert sum(isinstance(event, TextMessage) and event.message_finished for event in events) == 1, events
        return "".join(str(event.data) for event in events if isinstance(event, TextMessage))

    def binary(self) -> bytes:
        """The whole of the one binary message that has come."""
        events = self.events()
        assert events, "nothing came"
        assert all(isinstance(event, BytesMessage) for event in events), events
        assert sum(isinstance(event, BytesMessage) and event.message_finished for event in events) == 1, events
        return b"".join(bytes(event.data) for event in events if isinstance(event, BytesMessage))

    def close(self) -> tuple[int, str]:
        """The code and the reason that the broker has closed with; nothing else may have come."""
        (event,) = self.events()
        assert isinstance(event, CloseConnection), event
        return int(event.code), event.reason or ""

    def pings(self) -> int:
        """How many pings have come; nothing else may have."""
        events = self.events()
        assert all(isinstance(event, Ping) for event in events), events
        return len(events)


def _pieces(data: bytes, cut: str) -> list[bytes]:
    if cut == "whole":
        return [data]
    if cut == "byte by byte":
        return [data[at : at + 1] for at in range(len(data))]
    chance = random.Random(cut)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(1 + len(data) // 7))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _answer(data: bytes, method: str) -> tuple[Answer, bytes]:
    """The first response in `data`, and what follows it."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method, target="/", headers=[("Host", "broker")]))
    http.send(h11.EndOfMessage())
    http.receive_data(data)
    response = http.next_event()
    assert isinstance(response, h11.Response), response
    body = b""
    while isinstance(event := http.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage), event
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Answer(response.status_code, headers, body), bytes(http.trailing_data[0])
