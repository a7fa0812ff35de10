"""Floods over STOMP 1.2."""

from __future__ import annotations

import socket
from collections import deque
from typing import Final, Self

from tests.floods.stage import PATIENCE_S, Stage, in_parts
from tests.floods.table import flood

READ_BYTES: Final = 1 << 18


def frame(command: str, body: str = "", **headers: str) -> bytes:
    """The bytes of a frame.  Two underscores in a header's name stand for a dash."""
    lines = [command, *(f"{name.replace('__', '-')}:{value}" for name, value in headers.items())]
    return ("\n".join(lines) + f"\n\n{body}\0").encode()


class Stomp:
    """A client that sends much at once, and is patient."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        self._frames: deque[bytes] = deque()
        self._rest = b""
        self.socket.sendall(frame("CONNECT", accept__version="1.2", host="/", login="guest", passcode="guest"))
        self.said("CONNECTED")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def read(self) -> str:
        """The command of the next frame; bodies have no zero in them."""
        while not self._frames:
            data = self.socket.recv(READ_BYTES)
            assert data, "the broker has closed the connection"
            *found, self._rest = (self._rest + data).split(b"\0")
            self._frames.extend(found)
        return self._frames.popleft().lstrip(b"\r\n").split(b"\n", 1)[0].decode().strip()

    def said(self, command: str) -> None:
        """What comes next, however late, is this frame."""
        found = self.read()
        assert found == command, found

    def asked(self, command: str, **headers: str) -> None:
        """A frame is done, and everything sent before."""
        self.socket.sendall(frame(command, receipt="done", **headers))
        while (found := self.read()) != "RECEIPT":
            assert found == "MESSAGE", found


def client(stage: Stage) -> Stomp:
    """A client that is there until the flood is over."""
    return stage.enter(Stomp(stage.broker.addresses["stomp"]))


@flood(100_000, small=3_000, calls=60_000)
def stomp_subscriptions(stage: Stage) -> None:
    """Very many subscriptions of a session to one queue: half of them end one by one, the others with the session."""
    session = client(stage)
    with stage.measured():
        for part in in_parts(
            frame("SUBSCRIBE", id=str(number), destination="/queue/one", ack="client-individual")
            for number in range(stage.size)
        ):
            session.socket.sendall(part)
        for part in in_parts(frame("UNSUBSCRIBE", id=str(number)) for number in range(0, stage.size, 2)):
            session.socket.sendall(part)
        session.asked("SEND", destination="/queue/other")
        session.asked("DISCONNECT")


@flood(20_000, small=1_000, calls=60_000)
def stomp_topics(stage: Stage) -> None:
    """Subscriptions to very many topics, each with a queue of its own, which go with the session."""
    session = client(stage)
    with stage.measured():
        for part in in_parts(
            frame("SUBSCRIBE", id=str(number), destination=f"/topic/t.{number}") for number in range(stage.size)
        ):
            session.socket.sendall(part)
        session.asked("DISCONNECT")


@flood(5_000_000, small=500_000, calls=40_000)
def stomp_line_ends(stage: Stage) -> None:
    """Very many line ends, which are signs of life."""
    session = client(stage)
    with stage.measured():
        for part in in_parts(b"\n" * 100 for _ in range(stage.size // 100)):
            session.socket.sendall(part)
        session.asked("SEND", destination="/queue/one")


@flood(10_000, small=100, calls=20_000)
def stomp_connection_storm(stage: Stage) -> None:
    """Connections come and go as fast as they can."""
    address = stage.broker.addresses["stomp"]
    with stage.measured():
        for _ in range(stage.size):
            with Stomp(address) as coming:
                coming.asked("DISCONNECT")
