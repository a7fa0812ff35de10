"""Connections whose protocol isn't imported yet wait for it, whatever comes meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Carrier, Session
from warren.gateway.loading.late import Late
from warren.gateway.loading.loader import Then

MODULES = ("spoken.here",)


class LoaderByHand:
    """In place of gateway.loading.loader.Loader: `finish` is when the modules are there."""

    def __init__(self) -> None:
        self.there = False
        self.waiting: list[tuple[tuple[str, ...], Then]] = []

    def has(self, modules: tuple[str, ...]) -> bool:
        return self.there

    def now(self, modules: tuple[str, ...], then: Then) -> None:
        self.waiting.append((modules, then))

    def finish(self, problem: Exception | None = None) -> None:
        self.there = problem is None
        for _, then in self.waiting:
            then(problem)
        self.waiting.clear()


class World:
    """A broker whose protocol's sessions note what they get."""

    def __init__(self) -> None:
        self.broker = SimulatedBroker()
        self.recorder = Recorder()
        self.loader = LoaderByHand()
        self.turns = 0
        self.late = Late(self.loader, self._in_turn)  # type: ignore[arg-type]
        self.accept = self.late.accept(MODULES, self.recorder.accept)

    def _in_turn(self, work: Callable[[], None]) -> None:
        work()
        self.turns += 1
        self.broker.settle()


def test_what_came_meanwhile_is_there() -> None:
    world = World()
    transport = accepted(world.broker, world.accept)
    assert transport.paused, "no more is read than was on its way"
    assert world.recorder.sessions == []
    assert [modules for modules, _ in world.loader.waiting] == [MODULES]
    transport.session.receive(b"AM")
    transport.session.receive(b"QP")
    world.loader.finish()
    session = world.recorder.session
    assert (session.received, session.reads) == (b"AMQP", 1)
    assert session.transport is transport, "it has stepped aside"
    assert transport.session is session
    assert not transport.paused
    session.outbox.write(b"hello")
    world.broker.settle()
    assert transport.take() == b"hello"


def test_who_has_sent_nothing_gets_nothing() -> None:
    world = World()
    accepted(world.broker, world.accept)
    world.loader.finish()
    assert world.recorder.session.reads == 0
    assert world.turns == 1


def test_once_there_nobody_waits() -> None:
    world = World()
    world.loader.there = True
    transport = accepted(world.broker, world.accept)
    assert transport.session is world.recorder.session
    assert world.loader.waiting == []


def test_what_cannot_be_had_ends_the_connection_in_good_order() -> None:
    world = World()
    transport = accepted(world.broker, world.accept)
    world.loader.finish(ModuleNotFoundError("no"))
    assert transport.closed
    assert not transport.aborted
    assert world.recorder.sessions == []


@pytest.mark.parametrize("problem", [None, ModuleNotFoundError("no")])
def test_who_has_gone_is_left_alone(problem: Exception | None) -> None:
    world = World()
    gone, told = accepted(world.broker, world.accept), accepted(world.broker, world.accept)
    gone.session.connection_lost("the peer closed the socket")
    told.session.shut_down("the broker stops")
    world.broker.settle()
    assert told.closed
    world.loader.finish(problem)
    assert world.recorder.sessions == []


def test_after_the_end_of_the_run_nothing_is_done() -> None:
    world = World()
    accepted(world.broker, world.accept)
    world.late.end()
    world.loader.finish()
    assert world.turns == 0
    assert world.recorder.sessions == []


def test_a_bug_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    def accept(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        raise ZeroDivisionError

    broken = accepted(world.broker, world.late.accept(MODULES, accept))
    good = accepted(world.broker, world.accept)
    world.loader.finish()
    assert broken.aborted
    assert not good.closed
    assert good.session is world.recorder.session
    assert [record.exc_info is not None for record in caplog.records] == [True]
