"""A blocking client of the stream protocol, for scenarios: commands in, answers out."""

from __future__ import annotations

import itertools
import socket
import struct
from contextlib import closing
from typing import Any, TypeVar

from tests.support.simulated_stream import bodies_of, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import Code

T = TypeVar("T")

ANSWER_TIMEOUT_S = 60.0
"""For one answer: RabbitMQ works on a frame of the largest size for seconds where others need the processor, too."""

CLOSED = "closed"
"""What comes when the broker closes the socket."""

_names = itertools.count(1)


class StreamPeer:
    """One connection.  streams: that it made, which `clean_up` deletes.  properties: what the broker said of itself."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S)
        self._unread = b""
        self._correlation = 0
        self.streams: list[str] = []
        self.properties: dict[str, str] = {}

    def close(self) -> None:
        """Without a word."""
        self._socket.close()

    def send(self, *many: commands.Command) -> None:
        """Send commands."""
        self._socket.sendall(b"".join(map(encode, many)))

    def send_bytes(self, data: bytes) -> None:
        """Send any bytes."""
        self._socket.sendall(data)

    def next(self) -> Any:
        """The next command that comes; CLOSED at the end."""
        while len(self._unread) < 4 or len(self._unread) < 4 + struct.unpack_from(">I", self._unread)[0]:
            try:
                received = self._socket.recv(1 << 20)
            except ConnectionResetError:
                return CLOSED
            if not received:
                return CLOSED
            self._unread += received
        (size,) = struct.unpack_from(">I", self._unread)
        frame, self._unread = self._unread[4 : 4 + size], self._unread[4 + size :]
        return decode(frame)

    def ask(self, make: type[T], *values: object) -> Any:
        """Send a command with a correlation id; its answer, which is the next that comes."""
        self._correlation += 1
        self.send(make(self._correlation, *values))  # type: ignore[arg-type, call-arg]
        answer = self.next()
        if answer != CLOSED:
            assert answer.correlation_id == self._correlation, answer
        return answer

    def code(self, make: type[T], *values: object) -> Code | str:
        """The code of such an answer; CLOSED where none came."""
        answer = self.ask(make, *values)
        return CLOSED if answer == CLOSED else Code(answer.code)

    def log_in(self, user: str = "guest", password: str = "guest", mechanism: str = "PLAIN") -> Code | str:
        """Greet and log in; the code of the answer."""
        said = self.ask(commands.PeerProperties, {"product": "scenario"})
        assert said.code == Code.OK
        self.properties = said.properties
        assert "PLAIN" in self.ask(commands.SaslHandshake).mechanisms
        return self.code(commands.SaslAuthenticate, mechanism, f"\0{user}\0{password}".encode())

    def connect(self) -> StreamPeer:
        """Enter the virtual host "/"."""
        assert self.log_in() is Code.OK
        tune = self.next()
        self.send(commands.TuneAnswer(tune.frame_max, 0))
        assert self.code(commands.Open, "/") is Code.OK
        return self

    def name(self) -> str:
        """A name of a stream that no other test uses; what is called so is deleted after the test."""
        name = f"stream-protocol-{next(_names)}"
        self.streams.append(name)
        return name

    def stream(self, **arguments: str) -> str:
        """Make a stream; its name."""
        name = self.name()
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        assert self.code(commands.Create, name, named) is Code.OK
        return name

    def publish(self, publisher_id: int, *messages: tuple[int, bytes]) -> list[int]:
        """Publish messages with these ids; those that are confirmed, which may come in several frames."""
        self.send(publish(publisher_id, *[published(id, body) for id, body in messages]))
        confirmed: list[int] = []
        while len(confirmed) < len(messages):
            answer = self.next()
            assert isinstance(answer, commands.PublishConfirm), answer
            assert answer.publisher_id == publisher_id
            confirmed += answer.publishing_ids
        return sorted(confirmed)

    def read(self, count: int) -> list[tuple[int, bytes]]:
        """So many messages at least, with their offsets, in whole chunks."""
        found: list[tuple[int, bytes]] = []
        while len(found) < count:
            answer = self.next()
            assert isinstance(answer, commands.Deliver), answer
            found += bodies_of(answer.chunk)
        return found

    def clean_up(self) -> None:
        """Delete what it made, if it is there still, whatever has become of its connection."""
        self.close()
        with closing(StreamPeer(self._port)) as other:
            other.connect()
            for name in self.streams:
                other.ask(commands.Delete, name)


def ended(peer: StreamPeer) -> list[Any]:
    """What comes until the socket is closed, Close by its code alone."""
    found: list[Any] = []
    while True:
        answer = peer.next()
        if isinstance(answer, commands.Close):
            found.append(("close", answer.code))
            peer.send(commands.Answer(22, answer.correlation_id, Code.OK))
        else:
            found.append(answer)
        if answer == CLOSED:
            return found
