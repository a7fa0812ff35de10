"""Who is let in, by the same rules in every protocol: refused logins are answered late, not too many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import CAPABILITIES
from tests.support.simulated_transport import SimulatedTransport
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.session import admission
from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings
from warren.core.broker import Broker
from warren.core.errors import NotAllowed

DELAY_MS = 3000

_MAKE: dict[str, Callable[[Broker, SimulatedTransport], Connection | StompSession | MqttConnection]] = {
    "amqp": lambda broker, transport: Connection(broker, transport, Amqp091Settings()),
    "stomp": lambda broker, transport: StompSession(broker, transport, StompSettings()),
    "mqtt": lambda broker, transport: MqttConnection(broker, transport, MqttSettings()),
}


def wrong_login(protocol: str, password: bytes = b"wrong") -> bytes:
    """What a client sends that tries a password."""
    if protocol == "amqp":
        start_ok = methods.ConnectionStartOk({"capabilities": CAPABILITIES}, "PLAIN", b"\0guest\0" + password, "en_US")
        return PROTOCOL_HEADER + methods.encode_frame(0, start_ok)
    if protocol == "stomp":
        return b"CONNECT\naccept-version:1.2\nlogin:guest\npasscode:" + password + b"\n\n\0"
    return encode(Connect("c", versions.V3_1_1, True, 0, None, "guest", password), versions.V3_1_1)


REFUSAL = {"amqp": b"ACCESS_REFUSED", "stomp": b"Access refused", "mqtt": b"\x20\2\0\4"}


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.close()
    assert tracebacks(caplog) == []


def refused(simulated: SimulatedBroker, protocol: str, peer_host: str = "127.0.0.1") -> SimulatedTransport:
    """The transport of a client that has tried a wrong password, or the right one from afar."""
    transport = SimulatedTransport(peer_host)
    session = _MAKE[protocol](simulated.broker, transport)
    transport.session, transport.outbox = session, session.outbox
    transport.receive(wrong_login(protocol, b"wrong" if peer_host == "127.0.0.1" else b"guest"))
    simulated.settle()
    if protocol == "amqp":
        assert transport.take()[7:11] == b"\0\x0a\0\x0a", "connection.start"
    return transport


@pytest.mark.parametrize("protocol", _MAKE)
@pytest.mark.parametrize("peer_host", ["127.0.0.1", "192.0.2.1"])
def test_a_refused_login_is_answered_late(simulated: SimulatedBroker, protocol: str, peer_host: str) -> None:
    timers = simulated.timers
    transport = refused(simulated, protocol, peer_host)
    transport.receive(b"and more")
    simulated.advance(DELAY_MS - 1)
    assert transport.take() == b""
    assert not transport.closing
    assert not transport.paused, "else nobody would notice that the peer leaves"
    simulated.advance(1)
    answer = transport.take()
    if peer_host == "127.0.0.1":
        assert REFUSAL[protocol] in answer
    assert answer
    assert transport.closed
    assert simulated.timers == timers
    assert not simulated.broker.sessions


@pytest.mark.parametrize("protocol", _MAKE)
def test_who_leaves_meanwhile_frees_its_place(simulated: SimulatedBroker, protocol: str) -> None:
    timers = simulated.timers
    transport = refused(simulated, protocol)
    assert len(simulated.broker.refused_logins) == 1
    transport.lose()
    assert len(simulated.broker.refused_logins) == 0
    assert simulated.timers == timers
    assert not simulated.broker.sessions


@pytest.mark.parametrize("protocol", _MAKE)
def test_a_broker_that_stops_does_not_wait(simulated: SimulatedBroker, protocol: str) -> None:
    transport = refused(simulated, protocol)
    transport.session.shut_down("stopping")
    simulated.settle()
    assert REFUSAL[protocol] in transport.take()
    assert transport.closed
    assert len(simulated.broker.refused_logins) == 0


@pytest.mark.parametrize("protocol", _MAKE)
def test_no_delay_can_be_configured(simulated: SimulatedBroker, protocol: str) -> None:
    simulated.broker.refused_logins.delay_ms = 0
    transport = SimulatedTransport()
    session = _MAKE[protocol](simulated.broker, transport)
    transport.session, transport.outbox = session, session.outbox
    transport.receive(wrong_login(protocol))
    simulated.settle()
    assert REFUSAL[protocol] in transport.take()
    assert transport.closed


def test_the_bound_is_for_all_protocols_together(simulated: SimulatedBroker) -> None:
    simulated.broker.refused_logins.waiting_max = 2
    amqp, stomp = refused(simulated, "amqp"), refused(simulated, "stomp")
    assert not amqp.closing
    refused(simulated, "mqtt")
    assert amqp.closed, "it has waited longest"
    assert not stomp.closing
    assert len(simulated.broker.refused_logins) == 2


def test_an_old_amqp_client_is_told_nothing(simulated: SimulatedBroker) -> None:
    client = simulated.accept()
    client.send_bytes(PROTOCOL_HEADER)
    client.expect(methods.ConnectionStart, 0)
    client.send(0, methods.ConnectionStartOk({}, "PLAIN", b"\0guest\0wrong", "en_US"))
    simulated.advance(DELAY_MS)
    assert client.take() == []
    assert client.transport.closed


def test_the_log_says_what_was_wrong(simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    refused(simulated, "amqp")
    assert "PLAIN login refused: user 'guest' - invalid credentials" in caplog.text


def test_the_errors_say_what_was_wrong(simulated: SimulatedBroker) -> None:
    broker, near, far = simulated.broker, SimulatedTransport(), SimulatedTransport("192.0.2.1")
    user = admission.log_in(broker, near, "guest", "guest", "PLAIN")
    assert admission.log_in(broker, near, "guest", None, "EXTERNAL") is user
    for password in ("wrong", None):
        name = "guest" if password else "nobody"
        with pytest.raises(admission.LoginRefused) as refused:
            admission.log_in(broker, near, name, password, "PLAIN")
        assert not isinstance(refused.value, admission.LoopbackOnly)
    for password in ("guest", None):
        with pytest.raises(admission.LoopbackOnly):
            admission.log_in(broker, far, "guest", password, "PLAIN")
    with pytest.raises(admission.UnknownVirtualHost):
        admission.enter(broker, near, user, "nowhere", "test", {}, has_channels=True)
    broker.add_vhost("other", {})
    with pytest.raises(admission.VirtualHostRefused):
        admission.enter(broker, near, user, "other", "test", {}, has_channels=True)
    client = admission.enter(broker, near, user, "/", "test", {}, has_channels=False)
    assert (client.vhost.name, broker.client_count, broker.channel_count) == ("/", 1, 1)
    broker.users.set_limits("guest", {"max-channels": 1})
    with pytest.raises(NotAllowed, match=r"limit of \(1\)") as limited:
        admission.enter(broker, near, broker.users["guest"], "/", "test", {}, has_channels=False)
    assert not isinstance(limited.value, admission.UnknownVirtualHost | admission.VirtualHostRefused)
    assert broker.client_count == 1, "who is refused a channel is no client either"
