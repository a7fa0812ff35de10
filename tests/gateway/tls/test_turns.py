"""Many handshakes at once: what they take of a turn is bounded, everybody gets one, and who has begun comes first."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from tests.support.certificates import TestAuthority
from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.tls_peer import TlsPeer, encrypted
from warren.core.broker import Broker
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Session, Transport
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.turns import TURN_NS, HandshakeTurns

Contexts = Callable[..., TlsContexts]


class SlowKey:
    """A clock by which each step of a handshake takes `STEP_NS`."""

    STEP_NS = TURN_NS * 6 // 10
    STEPS_PER_TURN = 2

    def __init__(self) -> None:
        self._now_ns = 0

    def __call__(self) -> int:
        self._now_ns += self.STEP_NS
        return self._now_ns


@pytest.fixture
def slow(contexts: Contexts) -> TlsContexts:
    return contexts(HandshakeTurns(SlowKey()))


class Client:
    """One of many; `hello` is its first message, not sent yet."""

    def __init__(
        self, broker: SimulatedBroker, contexts: TlsContexts, authority: TestAuthority, recorder: Recorder
    ) -> None:
        self.transport = accepted(broker, encrypted(contexts, recorder.accept))
        self.peer = TlsPeer(broker, self.transport, authority.client_context())
        with pytest.raises(ssl.SSLWantReadError):
            self.peer.tls.do_handshake()
        self.hello = self.peer.taken()

    def say_hello(self) -> None:
        self.transport.receive(self.hello)


@pytest.fixture
def clients(broker: SimulatedBroker, slow: TlsContexts, authority: TestAuthority, recorder: Recorder) -> list[Client]:
    return [Client(broker, slow, authority, recorder) for _ in range(5)]


def answered(clients: list[Client]) -> list[bool]:
    return [client.transport.sent_bytes > 0 for client in clients]


def test_a_turn_has_so_much_time_for_handshakes_and_the_next_as_much(
    broker: SimulatedBroker, clients: list[Client], recorder: Recorder
) -> None:
    for client in clients:
        client.say_hello()
    broker.settle()
    assert answered(clients) == [True, True, False, False, False]
    assert [client.transport.paused for client in clients] == [False, False, True, True, True]
    broker.advance(1)
    assert answered(clients) == [True, True, True, True, False]
    broker.advance(1)
    assert answered(clients) == [True] * 5
    assert not any(client.transport.paused for client in clients)
    for client in clients:
        broker.advance(1)
        client.peer._incoming.write(client.transport.take())
        client.peer.connect()
    assert len(recorder.sessions) == 5
    assert broker.timers == 0


def test_what_comes_with_the_handshake_is_not_lost_while_it_waits(
    broker: SimulatedBroker, clients: list[Client], recorder: Recorder
) -> None:
    first, *others = clients
    first.say_hello()
    broker.settle()
    first.peer._incoming.write(first.transport.take())
    first.peer.tls.do_handshake()
    first.peer.tls.write(b"first words")
    for other in others:
        other.say_hello()
    first.transport.receive(first.peer.taken())
    assert recorder.sessions == []
    broker.advance(1)
    assert recorder.session.received == b"first words"
    assert not first.transport.paused


def test_who_has_begun_comes_before_those_who_have_not(
    broker: SimulatedBroker, clients: list[Client], recorder: Recorder
) -> None:
    first, *others = clients
    first.say_hello()
    broker.settle()
    first.peer._incoming.write(first.transport.take())
    first.peer.tls.do_handshake()
    broker.advance(1)
    for other in others:
        other.say_hello()
    first.transport.receive(first.peer.taken())
    assert answered(others) == [False] * 4, "before the batch is over"
    broker.advance(1)
    assert len(recorder.sessions) == 1
    assert answered(others) == [True, True, True, False]


def test_newcomers_do_not_overtake_those_who_wait(broker: SimulatedBroker, clients: list[Client]) -> None:
    *early, late = clients
    for client in early:
        client.say_hello()
    broker.broker.now_ms += 1
    late.say_hello()
    broker.settle()
    assert answered(clients) == [True, True, False, False, False]
    broker.advance(2)
    assert answered(clients) == [True, True, True, True, False]
    broker.advance(1)
    assert answered(clients) == [True] * 5


def test_who_is_gone_before_its_turn_costs_nothing(
    broker: SimulatedBroker, clients: list[Client], recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for client in clients:
        client.say_hello()
    broker.settle()
    clients[2].transport.lose()
    clients[3].transport.session.shut_down("stop")
    broker.settle()
    assert "the TLS handshake was not finished: the peer closed the socket" in caplog.text
    broker.advance(1)
    assert answered(clients) == [True, True, False, False, True]
    broker.advance(5000)
    assert all(client.transport.closed for client in clients)
    assert recorder.sessions == []
    assert broker.timers == 0


def test_a_time_out_says_that_it_was_the_brokers_doing(
    broker: SimulatedBroker, clients: list[Client], slow: TlsContexts, caplog: pytest.LogCaptureFixture
) -> None:
    for client in clients:
        client.say_hello()
    broker.settle()
    slow.turns.count(TURN_NS)
    stage = clients[4].transport.session
    stage._handshake_expired(0)  # type: ignore[attr-defined]  # the timer's call, before the turn that is due
    broker.settle()
    assert clients[4].transport.closed
    assert "more TLS handshakes at once than the broker can do; its turn didn't come within 5 s" in caplog.text
    broker.advance(2)
    assert answered(clients) == [True, True, True, True, False]


def test_a_bug_in_a_session_that_had_to_wait_ends_its_connection_alone(
    broker: SimulatedBroker, slow: TlsContexts, authority: TestAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        raise RuntimeError("a bug")

    transport = accepted(broker, encrypted(slow, refuse))
    peer = TlsPeer(broker, transport, authority.client_context())
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    transport.receive(peer.taken())
    broker.settle()
    peer._incoming.write(transport.take())
    peer.tls.do_handshake()
    slow.turns.count(TURN_NS)
    transport.receive(peer.taken())
    assert not transport.closed
    broker.advance(1)
    assert transport.aborted
    assert "internal error; closing the connection" in caplog.text
    assert broker.timers == 0
