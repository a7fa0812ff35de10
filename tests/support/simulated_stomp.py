"""STOMP clients of a simulated broker: frames are sent as any bytes, cut anywhere, and what comes back is parsed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings

_MEANINGS = {"\\n": "\n", "\\c": ":", "\\\\": "\\", "\\r": "\r"}


@dataclass(frozen=True)
class Answer:
    """A frame that the broker sent; `lines` are its header lines as they stood there."""

    command: str
    lines: tuple[str, ...]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, unescaped as in 1.2, the first of each name."""
        found: dict[str, str] = {}
        for line in self.lines:
            name, _, value = line.partition(":")
            found.setdefault(_unescaped(name), _unescaped(value))
        return found


def _unescaped(text: str) -> str:
    result = ""
    while text:
        result += _MEANINGS.get(text[:2], text[0])
        text = text[2 if text[:2] in _MEANINGS else 1 :]
    return result


def answers(data: bytes) -> list[Answer]:
    """The frames in what a broker sent; by a parser that shares nothing with the broker's own."""
    found: list[Answer] = []
    while data := data.lstrip(b"\n"):
        head, blank, rest = data.partition(b"\n\n")
        assert blank, data
        command, *lines = head.decode("utf-8", "surrogateescape").split("\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), None)
        size = rest.index(b"\0") if length is None else length
        assert rest[size : size + 1] == b"\0", data
        found.append(Answer(command, tuple(lines), rest[:size]))
        data = rest[size + 1 :]
    return found


def frame(command: str, body: bytes = b"", /, **headers: str) -> bytes:
    """A frame, not escaped; underscores in names stand for dashes."""
    lines = "".join(f"{name.replace('_', '-')}:{value}\n" for name, value in headers.items())
    return f"{command}\n{lines}\n".encode("utf-8", "surrogateescape") + body + b"\0"


class StompClient:
    """One connection to a simulated broker."""

    def __init__(
        self, simulated: SimulatedBroker, settings: StompSettings | None = None, peer_host: str = "127.0.0.1"
    ) -> None:
        self.simulated = simulated
        self.transport = SimulatedTransport(peer_host, 40_000)
        self.transport.unkept = simulated.broker.unkept
        self.session = StompSession(simulated.broker, self.transport, settings or StompSettings())
        self.transport.session = self.session
        self.transport.outbox = self.session.outbox
        self.version = "1.0"

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection, or is about to."""
        return self.transport.closing or self.transport.closed

    def send_bytes(self, data: bytes, cut: str = "whole") -> list[Answer]:
        """Send bytes, whole, "byte by byte", or cut as the seed in `cut` says; what is answered."""
        if cut == "whole":
            pieces = [data]
        elif cut == "byte by byte":
            pieces = [data[at : at + 1] for at in range(len(data))]
        else:
            chance = random.Random(cut)
            cuts = sorted(chance.randrange(len(data) + 1) for _ in range(1 + len(data) // 7))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for piece in pieces:
            self.transport.receive(piece)
        self.simulated.settle()
        refused = self.simulated.broker.refused_logins
        if len(refused) and not self.closed:
            # A refused login is answered late.
            self.simulated.advance(refused.delay_ms)
        return self.answers()

    def answers(self) -> list[Answer]:
        """What has come since the last call."""
        return answers(self.transport.take())

    def send(self, command: str, body: bytes = b"", /, **headers: str) -> list[Answer]:
        """Send a frame; what is answered."""
        return self.send_bytes(frame(command, body, **headers))

    def connect(self, version: str = "1.2", /, **headers: str) -> StompClient:
        """Log in."""
        headers = {"accept_version": version, **headers} if version != "1.0" else headers
        (answer,) = self.send("CONNECT", **headers)
        assert answer.command == "CONNECTED", answer
        assert answer["version"] == version
        self.version = version
        return self
