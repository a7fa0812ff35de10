"""A source and a destination without brokers, which a test fills, answers for and breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import EMPTY, Properties
from warren.plugins.bridging.ends import Arrived, Outcome


def message(tag: int) -> Incoming:
    return Incoming(tag, False, "x", f"key.{tag}", EMPTY, b"%d" % tag)


class FakeSource:
    """acked: tags up to which the source was told.  acked_alone: tags of which it was told one by one."""

    def __init__(self, waiting: int | None = None) -> None:
        self.waiting = waiting
        self.acked: list[int] = []
        self.acked_alone: list[int] = []
        self._send, self._receive = trio.open_memory_channel[list[Incoming] | PeerError](1000)

    def arrive(self, *tags: int) -> None:
        self._send.send_nowait([message(tag) for tag in tags])

    def fail(self, text: str) -> None:
        self._send.send_nowait(PeerError(text))

    async def receive(self) -> Sequence[Incoming]:
        found = await self._receive.receive()
        if isinstance(found, PeerError):
            raise found
        return found

    def ack(self, message: Incoming) -> None:
        self.acked.append(message.tag)

    def ack_alone(self, message: Incoming) -> None:
        self.acked_alone.append(message.tag)


class FakeDestination:
    """sent: (number, body), with the time.  answer: what becomes of a body, None for no answer yet, else the reason
    for which it is refused, "" for none.
    """

    def __init__(self, answer: Callable[[bytes], str | None] = lambda body: "") -> None:
        self.answer = answer
        self.blocked: str | None = None
        self.sent: list[tuple[int, bytes, float]] = []
        self._unblocked = trio.lowlevel.ParkingLot()
        self._outcomes: list[Outcome] = []
        self._told = trio.lowlevel.ParkingLot()
        self._error: PeerError | None = None

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body, _ in self.sent]

    @property
    def untaken(self) -> int:
        """Outcomes that nobody has asked for."""
        return len(self._outcomes)

    def unblock(self) -> None:
        self.blocked = None
        self._unblocked.unpark_all()

    def tell(self, *outcomes: Outcome) -> None:
        self._outcomes.extend(outcomes)
        self._told.unpark_all()

    def fail(self, text: str) -> None:
        self._error = PeerError(text)
        self._told.unpark_all()

    async def ready(self) -> None:
        await trio.lowlevel.checkpoint()
        while self.blocked is not None:
            await self._unblocked.park()

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        body = message.body
        number = len(self.sent) + 1
        self.sent.append((number, body, trio.current_time()))
        refused = self.answer(body)
        if refused is not None:
            self._outcomes.append(Outcome(number, False, refused or None))
        return number

    def flush(self) -> None:
        self._told.unpark_all()

    async def wait_ended(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._error is None:
            await self._told.park()
        raise self._error

    async def outcomes(self) -> Sequence[Outcome]:
        await trio.lowlevel.checkpoint()
        while not self._outcomes:
            if self._error is not None:
                raise self._error
            await self._told.park()
        found, self._outcomes = self._outcomes, []
        return found
