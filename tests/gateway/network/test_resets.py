"""Who is taken for gone is reset (RST), and who reads nothing is taken for gone, whatever lies above the socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support.recording_session import RecordingSession
from tests.support.tls_broker import hub_of
from warren.adapters.stage import Stage
from warren.core.clients.transport import Carrier
from warren.gateway import open_broker
from warren.gateway.network.hub import Hub
from warren.gateway.network.link import Link

UNREAD_TIMEOUT_S = 30
MUCH = b"x" * (16 * 1024 * 1024)
"""More than two kernels keep for each other."""


class Passing(Stage):
    """What is between a socket and a session, and changes nothing."""

    def receive(self, data: bytes) -> None:
        self.pass_on(data)


@dataclass
class Connected:
    """One accepted connection: both ends, and what is in between."""

    hub: Hub
    peer: socket.socket
    link: Link
    session: RecordingSession

    @property
    def released(self) -> bool:
        """Whether the broker's end is closed."""
        return self.link not in self.hub.links

    def read(self, count: int) -> None:
        """The peer reads so much, and the hub goes on sending."""
        while count > 0:
            count -= len(self.peer.recv(min(count, 65_536)))
            self.hub.turn()

    def ends_with_reset(self) -> bool:
        """Whether the peer's next read, behind what has come, says so."""
        self.peer.settimeout(60)
        try:
            while self.peer.recv(65_536):
                pass
        except ConnectionResetError:
            return True
        return False


@asynccontextmanager
async def connected(stages: int = 0) -> AsyncIterator[Connected]:
    """A session on a link of its own, with so many stages in between."""
    async with open_broker(listen=()) as broker, connected_to(hub_of(broker), stages) as made:
        yield made


@asynccontextmanager
async def connected_to(hub: Hub, stages: int) -> AsyncIterator[Connected]:
    """The same at this hub."""
    with socket.socket() as listening, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        peer.connect(listening.getsockname())
        link = Link(hub, listening.accept()[0])
        carrier: Carrier = link
        for _ in range(stages):
            stage = Passing(hub.broker, carrier)
            carrier.start(stage, stage.outbox)
            carrier = stage
        session = RecordingSession(hub.broker, carrier)
        carrier.start(session, session.outbox)
        yield Connected(hub, peer, link, session)


async def jump(clock: MockClock, seconds: float) -> None:
    clock.jump(seconds)
    await wait_all_tasks_blocked()


async def until_cut_off(made: Connected, clock: MockClock) -> None:
    """Jump on until the peer, who reads nothing, is cut off.

    Kernels go on handing over to each other for a while, which counts as reading: each look that cuts nobody off has
    seen some of that.  The test and the link don't look at the same moment, so that there are two looks of the link
    between two of the test.
    """
    taken = -1
    while not made.released:
        before, taken = taken, made.link.taken_bytes
        assert taken > before
        await jump(clock, UNREAD_TIMEOUT_S)
        await jump(clock, UNREAD_TIMEOUT_S)


End = Callable[[RecordingSession], None]

BY_RESET: list[End] = [lambda session: session.transport.reset(), lambda session: session.transport.abort()]


@pytest.mark.parametrize("stages", [0, 1, 2])
@pytest.mark.parametrize("end", BY_RESET, ids=["reset", "abort"])
async def test_a_peer_that_is_taken_for_gone_is_reset(end: End, stages: int) -> None:
    async with connected(stages) as made:
        end(made.session)
        assert made.released
        assert made.session.lost == "closed by the broker"
        assert made.ends_with_reset()


async def test_its_next_publish_fails() -> None:
    async with connected() as made:
        made.session.transport.reset()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            made.peer.sendall(b"publish")


@pytest.mark.parametrize("stages", [0, 1, 2])
async def test_what_is_said_last_still_arrives(stages: int) -> None:
    async with connected(stages) as made:
        made.session.outbox.write(b"goodbye")
        made.session.transport.reset()
        assert made.peer.recv(100) == b"goodbye"
        assert made.ends_with_reset()


async def test_after_an_abort_nothing_more_arrives() -> None:
    async with connected() as made:
        made.session.outbox.write(b"goodbye")
        made.session.transport.abort()
        with pytest.raises(ConnectionResetError):
            made.peer.recv(100)


async def test_a_reset_takes_what_waits_with_it() -> None:
    async with connected() as made:
        made.session.outbox.write(MUCH)
        made.hub.settle()
        assert made.link.unsent_bytes
        made.session.outbox.write(b"goodbye")
        made.session.transport.reset()
        assert made.released
        assert made.ends_with_reset()


async def test_closing_in_good_order_is_no_reset() -> None:
    async with connected() as made:
        made.session.outbox.write(b"goodbye")
        made.session.transport.close()
        made.hub.settle()
        assert made.peer.recv(100) == b"goodbye"
        assert made.peer.recv(100) == b""
        made.peer.close()
        made.hub.turn()
        assert made.released


async def test_resetting_twice_or_after_the_end_does_nothing() -> None:
    async with connected() as made:
        made.session.transport.reset()
        made.session.transport.reset()
        made.session.transport.abort()
        made.hub.settle()
        assert made.released


# Reading nothing


@pytest.mark.parametrize("stages", [0, 1, 2])
async def test_who_reads_nothing_is_cut_off(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture, stages: int
) -> None:
    async with connected(stages) as made:
        made.session.outbox.write(MUCH)
        made.hub.settle()
        await jump(mock_clock, UNREAD_TIMEOUT_S - 0.01)
        made.peer.sendall(b"a heartbeat")
        made.hub.turn()
        assert made.session.received == b"a heartbeat"
        assert not made.released
        await until_cut_off(made, mock_clock)
        assert made.ends_with_reset()
        assert made.hub.broker.limit_hits.of("unread_timeout_s") == 1
    assert "the peer has read nothing for 30 s while" in caplog.text
    assert "unread_timeout_s" in caplog.text


async def test_who_reads_slowly_stays(mock_clock: MockClock) -> None:
    async with connected() as made:
        made.session.outbox.write(MUCH)
        made.hub.settle()
        for _ in range(5):
            await jump(mock_clock, UNREAD_TIMEOUT_S - 1)
            made.read(1024 * 1024)
        assert not made.released
        assert made.link.unsent_bytes
        await until_cut_off(made, mock_clock)  # as it has stopped reading


async def test_who_has_read_everything_may_wait_again(mock_clock: MockClock) -> None:
    async with connected() as made:
        for _ in range(2):
            made.session.outbox.write(MUCH)
            made.hub.settle()
            await jump(mock_clock, UNREAD_TIMEOUT_S - 1)
            made.read(len(MUCH))
            assert not made.link.unsent_bytes
            await jump(mock_clock, 10 * UNREAD_TIMEOUT_S)
            assert not made.released, "nothing waits"


async def test_a_link_that_closes_waits_no_longer_than_that(mock_clock: MockClock) -> None:
    async with connected() as made:
        made.session.outbox.write(MUCH)
        made.session.transport.close()
        made.hub.settle()
        await until_cut_off(made, mock_clock)


async def test_zero_is_for_ever(mock_clock: MockClock) -> None:
    async with connected() as made:
        made.hub.unread_timeout_ms = 0
        made.session.outbox.write(MUCH)
        made.hub.settle()
        await jump(mock_clock, 1000 * UNREAD_TIMEOUT_S)
        assert not made.released


async def test_a_peer_that_resets_is_no_error() -> None:
    async with connected() as made:
        made.session.outbox.write(MUCH)
        made.hub.settle()
        made.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        made.peer.close()
        await trio.lowlevel.checkpoint()
        made.hub.turn()
        assert made.released


@asynccontextmanager
async def keeping(stages: int, directory: Path) -> AsyncIterator[Connected]:
    """The same on a broker with a disk, where something is declared that isn't kept yet, and an answer waits for that;
    a session above it has said that it is declared."""
    async with open_broker(directory, listen=()) as broker, connected_to(hub_of(broker), stages) as made:
        core = made.hub.broker
        core.definitions.put("marker", "", "declared", {})
        made.session.outbox.write(b"declare-ok")
        core.unkept.hold(made.session.outbox)
        yield made


@pytest.mark.parametrize("stages", [0, 1, 2])
@pytest.mark.parametrize("end", BY_RESET, ids=["reset", "abort"])
async def test_what_is_not_kept_is_not_said_by_a_reset(end: End, stages: int, tmp_path: Path) -> None:
    async with keeping(stages, tmp_path) as made:
        end(made.session)
        assert made.released
        with pytest.raises(ConnectionResetError):
            made.peer.recv(100)


@pytest.mark.parametrize("stages", [0, 1, 2])
async def test_what_is_not_kept_is_said_once_it_is_before_a_close(stages: int, tmp_path: Path) -> None:
    async with keeping(stages, tmp_path) as made:
        made.peer.setblocking(False)
        made.session.transport.close()
        made.hub.broker.end_turn()
        with pytest.raises(BlockingIOError):
            made.peer.recv(100)
        await made.hub.kept()
        assert made.peer.recv(100) == b"declare-ok"
        assert made.peer.recv(100) == b""


async def test_a_reset_behind_the_commit_says_it(tmp_path: Path) -> None:
    async with keeping(1, tmp_path) as made:
        await made.hub.kept()
        made.session.outbox.write(b" goodbye")
        made.session.transport.reset()
        assert made.peer.recv(100) == b"declare-ok goodbye"
        assert made.ends_with_reset()
