"""A STOMP destination whose broker is the test, in virtual time: it is silent, blocked, half-open, or answers late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from tests.plugins.bridging.fake_ends import FakeSource
from tests.plugins.shovel.test_pump import pump
from warren.adapters.peers.errors import PeerError
from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.adapters.stomp.client.sending import UNSAID
from warren.adapters.stomp.codec.frames import END, HEARTBEAT, Frame, encode_frame
from warren.adapters.stomp.codec.parser import FrameParser
from warren.gateway.peers.peer import now_ms
from warren.gateway.peers.stomp import StompPeer
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition
from warren.plugins.shovel.stomp_ends import STALLED, Caution, StompDestination

TO_A_QUEUE = StompDestinationDefinition((), "/queue/in", {})

Answers = Callable[[Frame], bool]
"""Whether a frame that asks for a receipt gets it."""


class FarBroker:
    """Reads frames, and gives the receipts that the test wants to be given.  bodies: of the SENDs that have come."""

    def __init__(self, stream: trio.StapledStream, answers: Answers) -> None:  # type: ignore[type-arg]
        self.answers = answers
        self.bodies: list[bytes] = []
        self.times: list[float] = []
        self.beats_every_s: float | None = None
        self._stream = stream
        self._writing = trio.Lock()
        self._parser = FrameParser()
        self._unanswered: list[str] = []

    async def run(self, heart_beat: str) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat)
            async for data in self._stream:
                for frame in self._frames(bytes(data)):
                    await self._handle(frame, heart_beat)
            nursery.cancel_scope.cancel()

    async def answer_all(self) -> None:
        """What was kept back, and everything from now on."""
        self.answers = lambda frame: True
        kept, self._unanswered = self._unanswered, []
        for receipt in kept:
            await self._receipt(receipt)

    def _frames(self, data: bytes) -> Iterator[Frame]:
        position = 0
        while True:
            frame, position = self._parser.next(data, position)
            if frame is None:
                return
            yield frame

    async def _handle(self, frame: Frame, heart_beat: str) -> None:
        if frame.command == "CONNECT":
            await self._send("CONNECTED", ("version", "1.2"), ("heart-beat", heart_beat))
            return
        if frame.command == "SEND":
            self.bodies.append(frame.body)
            self.times.append(trio.current_time())
        if frame.receipt is not None:
            if self.answers(frame):
                await self._receipt(frame.receipt)
            else:
                self._unanswered.append(frame.receipt)

    async def _receipt(self, receipt: str) -> None:
        await self._send("RECEIPT", ("receipt-id", receipt))

    async def _send(self, command: str, *headers: tuple[str, str]) -> None:
        await self._write(encode_frame(command, headers, end=END))

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            await self._stream.send_all(data)

    async def _beat(self) -> None:
        while True:
            await trio.sleep(1)
            if self.beats_every_s is not None:
                await self._write(HEARTBEAT)


@asynccontextmanager
async def connected(
    answers: Answers, caution: Caution | None = None, heart_beat: str = "0,0", mode: str = "on-confirm"
) -> AsyncIterator[tuple[FarBroker, StompDestination]]:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        far = FarBroker(theirs, answers)
        nursery.start_soon(far.run, heart_beat)
        peer = StompPeer(ours, StompClient(StompLogin(), now_ms()))
        nursery.start_soon(peer.run)
        await peer.opened()
        try:
            yield far, StompDestination(peer, TO_A_QUEUE, mode, caution or Caution())
        finally:
            await peer.aclose()
            nursery.cancel_scope.cancel()


async def becomes(holds: Callable[[], bool]) -> None:
    with trio.fail_after(1000):
        while not holds():
            await trio.sleep(0.05)


async def test_a_refusal_without_a_word_is_tried_again_with_pauses(autojump_clock: MockClock) -> None:
    source = FakeSource()
    async with connected(lambda frame: frame.body != b"2") as (far, destination), trio.open_nursery() as nursery:
        working = pump(source, destination)
        nursery.start_soon(working.run)
        source.arrive(1, 2, 3)
        await becomes(lambda: working.blocked is not None)
        assert working.blocked == UNSAID
        assert 20 <= trio.current_time() - far.times[0] <= 21
        assert source.acked == [1]
        source.arrive(4)
        await becomes(lambda: len(far.bodies) == 5)
        assert far.bodies == [b"1", b"2", b"3", b"2", b"2"], "nothing else is sent meanwhile"
        await far.answer_all()
        await becomes(lambda: source.acked[-1] == 4)
        assert working.blocked is None
        assert working.pending == 0
        nursery.cancel_scope.cancel()


async def test_a_broker_that_takes_nothing_is_waited_for_and_sent_nothing(autojump_clock: MockClock) -> None:
    source = FakeSource()
    async with (
        connected(lambda frame: False, heart_beat="1000,1000") as (far, destination),
        trio.open_nursery() as nursery,
    ):
        far.beats_every_s = 1
        working = pump(source, destination)
        nursery.start_soon(working.run)
        source.arrive(1)
        await becomes(lambda: working.blocked is not None)
        assert working.blocked == STALLED
        assert 10 <= trio.current_time() - far.times[0] <= 11
        source.arrive(2)
        await trio.sleep(3600)
        assert far.bodies == [b"1"]
        assert source.acked == []
        await far.answer_all()
        await becomes(lambda: source.acked == [1, 2])
        assert far.bodies == [b"1", b"2"]
        assert working.blocked is None
        nursery.cancel_scope.cancel()


async def test_a_half_open_connection_is_noticed_by_heart_beats(autojump_clock: MockClock) -> None:
    async with connected(lambda frame: True, heart_beat="10000,10000") as (_, destination):
        began_at = trio.current_time()
        with pytest.raises(PeerError, match="the peer was silent for 20 s"):
            await pump(FakeSource(), destination).run()
        assert 19.9 <= trio.current_time() - began_at <= 21


async def test_after_a_broker_has_hung_up_on_messages_the_next_connection_begins_with_one(
    autojump_clock: MockClock,
) -> None:
    caution = Caution()
    source = FakeSource()
    async with connected(lambda frame: False, caution) as (far, destination), trio.open_nursery() as nursery:
        nursery.start_soon(pump(source, destination).run)
        source.arrive(*range(1, 11))
        await becomes(lambda: len(far.bodies) == 10)
        nursery.cancel_scope.cancel()
    async with connected(lambda frame: False, caution) as (far, destination), trio.open_nursery() as nursery:
        source = FakeSource()
        nursery.start_soon(pump(source, destination).run)
        source.arrive(*range(1, 11))
        await trio.sleep(5)
        assert far.bodies == [b"1"]
        await far.answer_all()
        await becomes(lambda: bool(source.acked) and source.acked[-1] == 10)
        assert far.bodies == [b"%d" % number for number in range(1, 11)]
        nursery.cancel_scope.cancel()
    async with connected(lambda frame: True, caution) as (far, destination), trio.open_nursery() as nursery:
        source = FakeSource()
        nursery.start_soon(pump(source, destination).run)
        source.arrive(1, 2)
        await becomes(lambda: len(far.bodies) == 2)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("mode", ["on-publish", "no-ack"])
async def test_modes_that_wait_for_nobody_ask_for_no_receipts(autojump_clock: MockClock, mode: str) -> None:
    source = FakeSource()
    asked: list[Frame] = []

    def note(frame: Frame) -> bool:
        asked.append(frame)
        return True

    async with connected(note, mode=mode) as (far, destination), trio.open_nursery() as nursery:
        nursery.start_soon(pump(source, destination, ack_mode=mode).run)
        source.arrive(1, 2)
        await becomes(lambda: len(far.bodies) == 2)
        await trio.sleep(60)
        assert asked == []
        nursery.cancel_scope.cancel()
