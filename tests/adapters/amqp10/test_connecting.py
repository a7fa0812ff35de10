"""Protocol headers, SASL and open: who is let in, and what each side is told (part 2, 2.2 and 2.4; part 5, 5.3)."""

from __future__ import annotations

import logging

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.adapters.mqtt.scram_peer import final, first
from tests.support.simulated_amqp10 import Amqp10Client, frames_of, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, EMPTY_FRAME, SASL_FRAME, SASL_HEADER, TLS_HEADER, frame
from warren.adapters.amqp10.codec.performatives import Begin, Close, Open
from warren.adapters.amqp10.settings import Amqp10Settings


def init(mechanism: str, response: bytes | None = None) -> bytes:
    """The client's choice."""
    body = sasl.SaslInit()
    body.mechanism = mechanism
    body.initial_response = response
    return frame(0, body, SASL_FRAME)


def response(data: bytes) -> bytes:
    """The client's answer to a challenge."""
    return frame(0, sasl.SaslResponse(data), SASL_FRAME)


@pytest.mark.parametrize("cut", ["whole", "byte by byte", "some", "others"])
def test_a_login_by_plain_however_it_is_cut(accept: Connect, cut: str) -> None:
    client = accept()
    opening = Open("me")
    opening.hostname = "vhost:/"
    sent = SASL_HEADER + init("PLAIN", b"\0guest\0guest") + AMQP_HEADER + frame(0, opening)
    headers, mechanisms, outcome, second, opened = client.send_bytes(sent, cut)
    assert (headers.body, second.body) == (SASL_HEADER, AMQP_HEADER)
    assert mechanisms.body.sasl_server_mechanisms == ["PLAIN", "SCRAM-SHA-256"]
    assert outcome.body.code == sasl.OK
    answer = opened.body
    assert (answer.max_frame_size, answer.channel_max, answer.idle_time_out) == (131_072, 63, 30_000)
    assert answer.offered_capabilities == ["LINK_PAIR_V1_0", "ANONYMOUS-RELAY"]
    assert answer.properties["product"] == "RabbitMQ"
    row = client.connection.connection_row()
    assert (row.protocol_name, row.container_id, row.auth_mechanism, row.state) == (
        "AMQP 1-0",
        "me",
        "PLAIN",
        "running",
    )


@pytest.mark.parametrize("answer", [b"\0guest\0wrong", b"\0nobody\0guest", b"guest", b"", b"\0\0\0"])
def test_a_wrong_login_is_refused_late(accept: Connect, simulated: SimulatedBroker, answer: bytes) -> None:
    client = accept()
    client.send_bytes(SASL_HEADER)
    assert client.send_bytes(init("PLAIN", answer)) == []
    assert not client.closed
    simulated.advance(simulated.broker.refused_logins.delay_ms)
    assert only(sasl.SaslOutcome, client.take()).code == sasl.AUTH
    assert client.closed


def test_guest_comes_from_this_machine_alone(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept(None, "192.0.2.1")
    client.send_bytes(SASL_HEADER)
    client.send_bytes(init("PLAIN", b"\0guest\0guest"))
    simulated.advance(simulated.broker.refused_logins.delay_ms)
    assert only(sasl.SaslOutcome, client.take()).code == sasl.AUTH


def test_a_certificate_is_a_login(accept: Connect) -> None:
    client = accept()
    client.transport.certificate_name = "guest"
    _, mechanisms = client.send_bytes(SASL_HEADER)
    assert "EXTERNAL" in mechanisms.body.sasl_server_mechanisms
    assert only(sasl.SaslOutcome, client.send_bytes(init("EXTERNAL", b""))).code == sasl.OK


def test_scram_proves_both_sides(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    client.send_bytes(SASL_HEADER)
    challenge = only(sasl.SaslChallenge, client.send_bytes(init("SCRAM-SHA-256", first())))
    outcome = only(sasl.SaslOutcome, client.send_bytes(response(final(challenge.challenge))))
    assert outcome.code == sasl.OK
    assert outcome.additional_data.startswith(b"v=")


def test_scram_with_a_wrong_password_is_refused(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    client.send_bytes(SASL_HEADER)
    challenge = only(sasl.SaslChallenge, client.send_bytes(init("SCRAM-SHA-256", first())))
    client.send_bytes(response(final(challenge.challenge, b"wrong")))
    simulated.advance(simulated.broker.refused_logins.delay_ms)
    assert only(sasl.SaslOutcome, client.take()).code == sasl.AUTH


def test_nobody_in_particular_comes_in_where_that_is_allowed(accept: Connect) -> None:
    settings = Amqp10Settings(anonymous_user="guest")
    client = accept(settings)
    client.send_bytes(SASL_HEADER)
    assert only(sasl.SaslOutcome, client.send_bytes(init("ANONYMOUS"))).code == sasl.OK
    bare = accept(settings)
    assert only(bytes, bare.send_bytes(AMQP_HEADER)) == AMQP_HEADER
    assert only(Open, bare.send(Open("me"))).container_id
    assert bare.connection.logged_in.user.name == "guest"


@pytest.mark.parametrize("header", [AMQP_HEADER, TLS_HEADER, b"AMQP\x00\x00\x09\x01", b"GET / HT"])
def test_another_header_is_answered_with_the_one_that_is_due(
    accept: Connect, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept()
    assert only(bytes, client.send_bytes(header)) == SASL_HEADER
    assert client.closed
    assert "protocol header" in caplog.text


def test_a_virtual_host_is_named_in_open(simulated: SimulatedBroker, accept: Connect) -> None:
    client = accept()
    client.log_in()
    opening = Open("me")
    opening.hostname = "vhost:nowhere"
    opened, closed = client.send(opening)
    assert isinstance(opened.body, Open)
    assert closed.body.error.condition == "amqp:not-found"
    assert "nowhere" in closed.body.error.description
    assert client.closed


def test_a_host_that_is_no_virtual_host_means_the_default_one(accept: Connect) -> None:
    assert accept().open(hostname="broker.example.org").connection.logged_in.vhost.name == "/"


@pytest.mark.parametrize(
    ("field", "value", "condition"),
    [("max_frame_size", 511, "amqp:invalid-field"), ("idle_time_out", 99, "amqp:not-allowed")],
)
def test_what_no_client_can_want_is_refused(accept: Connect, field: str, value: int, condition: str) -> None:
    client = accept()
    client.log_in()
    opening = Open("me")
    setattr(opening, field, value)
    _, closed = client.send(opening)
    assert closed.body.error.condition == condition


def test_silence_is_borne_for_more_than_was_asked_for_and_then_told(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect(Amqp10Settings(idle_timeout_ms=20_000))
    client.send_bytes(EMPTY_FRAME)
    for _ in range(3):
        simulated.advance(9_000)
        client.send_bytes(EMPTY_FRAME)
    simulated.advance(12_000)
    assert not client.closed
    simulated.advance(10_000)
    simulated.advance(10_000)
    (close,) = of(Close, client.take())
    assert close.error.condition == "amqp:resource-limit-exceeded"
    assert client.closed


def test_who_asks_for_it_hears_something_in_time(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(idle_time_out=1_000)
    for _ in range(4):
        simulated.advance(500)
        assert client.transport.take() == EMPTY_FRAME


def test_who_says_nothing_is_cut_off(
    accept: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept(Amqp10Settings(handshake_timeout_ms=1_000))
    client.send_bytes(SASL_HEADER)
    simulated.advance(1_000)
    assert client.transport.aborted
    assert "no open within 1 s" in caplog.text


def test_close_is_answered(connect: Connect) -> None:
    client = connect()
    assert only(Close, client.close()).error is None
    assert client.closed


def test_an_operator_closes_it_with_words(connect: Connect) -> None:
    client = connect()
    client.connection.force_close("maintenance")
    (close,) = of(Close, client.take())
    assert (close.error.condition, close.error.description) == ("amqp:connection:forced", "maintenance")


def test_channels_are_bounded_and_begun_once(connect: Connect, accept: Connect) -> None:
    client = connect(Amqp10Settings(sessions_max=2)).begin(1)
    body = Begin()
    (close,) = of(Close, client.send(body, channel=2))
    assert close.error.condition == "amqp:connection:framing-error"
    other = connect()
    (close,) = of(Close, other.send(body, channel=0))
    assert close.error.condition == "amqp:not-allowed"


def test_a_lost_connection_leaves_nothing(
    connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    timers = simulated.timers
    client = connect()
    client.attach_receiver("/queue/q")
    client.transport.lose()
    simulated.settle()
    assert simulated.timers == timers
    assert client.connection not in simulated.broker.sessions
    assert "lost" in caplog.text


def test_the_bytes_of_two_frames_in_one_read_are_two_frames() -> None:
    assert [each.body for each in frames_of(SASL_HEADER + EMPTY_FRAME)] == [SASL_HEADER, None]
    assert isinstance(Amqp10Client(SimulatedBroker()).connection.state, str)
