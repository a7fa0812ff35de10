"""The sockets of a hub, by epoll and by any selector."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from warren.gateway.network import sockets as module
from warren.gateway.network.link import EVENT_READ, EVENT_WRITE
from warren.gateway.network.sockets import Sockets


class Waiting:
    """Who waits for a socket; what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def ready(self, events: int) -> None:
        self.told.append(events)


@pytest.fixture(params=["epoll", "another"])
def sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sockets]:
    if request.param == "another":
        monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    made = Sockets()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_the_numbers_are_those_of_selectors() -> None:
    assert (EVENT_READ, EVENT_WRITE) == (selectors.EVENT_READ, selectors.EVENT_WRITE)


def test_who_waits_is_told_what_the_socket_is_ready_for(
    sockets: Sockets, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    waiting = Waiting()
    sockets.place(here.fileno(), waiting)
    assert not sockets.poll()
    sockets.watch(here.fileno(), 0, EVENT_READ)
    assert not sockets.poll()
    there.send(b"x")
    assert sockets.poll()
    sockets.watch(here.fileno(), EVENT_READ, EVENT_READ | EVENT_WRITE)
    sockets.poll()
    sockets.watch(here.fileno(), EVENT_READ | EVENT_WRITE, EVENT_WRITE)
    sockets.poll()
    assert waiting.told == [EVENT_READ, EVENT_READ | EVENT_WRITE, EVENT_WRITE]
    sockets.watch(here.fileno(), EVENT_WRITE, 0)
    assert not sockets.poll()
    sockets.forget(here.fileno())


def test_a_peer_that_has_gone_makes_a_socket_readable(
    sockets: Sockets, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    waiting = Waiting()
    sockets.place(here.fileno(), waiting)
    sockets.watch(here.fileno(), 0, EVENT_READ)
    there.close()
    sockets.poll()
    assert len(waiting.told) == 1
    assert waiting.told[0] & EVENT_READ
    sockets.watch(here.fileno(), EVENT_READ, 0)
    sockets.forget(here.fileno())


def test_one_that_another_has_closed_meanwhile_is_told_nothing(sockets: Sockets) -> None:
    """Both are ready, and the first to be told closes the other."""
    pairs = [socket.socketpair() for _ in range(2)]
    closed: list[int] = []

    class Closing(Waiting):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def ready(self, events: int) -> None:
            other = 1 - self.number
            sockets.watch(pairs[other][0].fileno(), EVENT_READ, 0)
            sockets.forget(pairs[other][0].fileno())
            pairs[other][0].close()
            closed.append(other)

    for number, (here, there) in enumerate(pairs):
        sockets.place(here.fileno(), Closing(number))
        sockets.watch(here.fileno(), 0, EVENT_READ)
        there.send(b"x")
    sockets.poll()
    assert len(closed) == 1
    left = pairs[1 - closed[0]][0].fileno()
    sockets.watch(left, EVENT_READ, 0)
    sockets.forget(left)
    for here, there in pairs:
        here.close()
        there.close()


def test_waiting_for_one_that_gets_ready(sockets: Sockets) -> None:
    assert not sockets.poll(0.0)
    assert list(sockets.links()) == []
    assert sockets.link_count == 0
    sockets.forget(10_000)  # which was never there


@pytest.mark.interpreted("replaces the clock of the module")
def test_who_took_longest_is_known_until_it_has_gone(
    sockets: Sockets, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(module, "perf_counter", lambda: now_s)

    class Slow(Waiting):
        def ready(self, events: int) -> None:
            nonlocal now_s
            now_s += 0.5

    slow, quick = Slow(), Waiting()
    here, there = pair
    for end, who in ((here, slow), (there, quick)):
        sockets.place(end.fileno(), who)
        sockets.watch(end.fileno(), 0, EVENT_WRITE)
    assert sockets.longest() is None
    assert sockets.poll()
    assert sockets.longest_s == 0.5
    assert sockets.longest() is slow
    sockets.watch(here.fileno(), EVENT_WRITE, 0)
    sockets.forget(here.fileno())
    assert sockets.longest() is None
    assert sockets.poll()
    assert sockets.longest_s == 0.0
