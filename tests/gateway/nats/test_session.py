"""One connection without its socket: what is said when, and what ends it."""

from __future__ import annotations

import json

import pytest

from warren.gateway.nats.addresses import ServerAddress
from warren.gateway.nats.errors import LoginRefused, NatsDisconnected, NatsProtocolError
from warren.gateway.nats.options import Options
from warren.gateway.nats.session import Session

HERE = ServerAddress("here")


def begun(server: ServerAddress = HERE, **info: object) -> Session:
    """A session that has read the server's first line."""
    session = Session(Options((server,)), server)
    assert session.take_output() == []
    fields = {"version": "2.15.1", "max_payload": 100, **info}
    session.receive(b"INFO " + json.dumps(fields).encode() + b"\r\n")
    return session


def logged_in(**info: object) -> Session:
    session = begun(HERE, **info)
    session.receive(b"PONG\r\n")
    session.take_output()
    return session


def test_login_inbox_and_ping_go_out_together() -> None:
    session = begun()
    connect, subscribe, ping = session.take_output()
    fields = json.loads(connect.removeprefix(b"CONNECT "))
    assert (fields["verbose"], fields["headers"], fields["no_responders"]) == (False, True, True)
    assert subscribe.startswith(b"SUB _INBOX.")
    assert ping == b"PING\r\n"
    assert not session.is_ready
    session.receive(b"PONG\r\n")
    assert session.is_ready
    assert (session.version, session.payload_bytes_max, session.is_leaving) == ("2.15.1", 100, False)


def test_answers_have_the_inbox_that_the_request_named() -> None:
    session = logged_in()
    inbox = session.request("a", b"x", {"H": "1"})
    (line, payload, _) = session.take_output()
    assert line.startswith(b"HPUB a " + inbox.encode())
    assert payload == b"x"
    assert session.request("a", b"") != inbox
    (message,) = session.receive(f"MSG {inbox} 1 2\r\nok\r\n".encode())
    assert message.subject == inbox
    assert session.is_answer(message)


def test_subscriptions_have_numbers_of_their_own() -> None:
    session = logged_in()
    first, second = session.subscribe("a"), session.subscribe("b", "g")
    session.unsubscribe(first)
    assert b"".join(session.take_output()) == f"SUB a {first}\r\nSUB b g {second}\r\nUNSUB {first}\r\n".encode()
    (message,) = session.receive(f"MSG b {second} 1\r\nx\r\n".encode())
    assert not session.is_answer(message)


def test_a_ping_is_answered() -> None:
    session = logged_in()
    session.receive(b"PING\r\n")
    assert session.take_output() == [b"PONG\r\n"]
    session.ping()
    assert session.take_output() == [b"PING\r\n"]


def test_tls_begins_before_anything_is_said() -> None:
    for session in (begun(tls_required=True), begun(ServerAddress("here", tls=True), tls_available=True)):
        assert session.wants_tls
        assert session.take_output() == []
        session.tls_began()
        assert not session.wants_tls
        assert json.loads(session.take_output()[0].removeprefix(b"CONNECT "))["tls_required"] is True


def test_tls_is_never_left_out() -> None:
    with pytest.raises(LoginRefused, match="no TLS"):
        begun(ServerAddress("here", tls=True))


def test_nothing_may_hide_before_tls() -> None:
    session = Session(Options((HERE,)), HERE)
    with pytest.raises(NatsProtocolError, match="before TLS"):
        session.receive(b'INFO {"tls_required":true}\r\nMSG a 1 1\r\n')


def test_news_of_the_server() -> None:
    session = logged_in()
    session.receive(b'INFO {"version":"2.15.1","ldm":true}\r\n')
    assert session.is_leaving
    assert session.take_output() == []


@pytest.mark.parametrize(
    "text", ["Authorization Violation", "Account Authentication Expired", "Secure Connection - TLS Required"]
)
def test_a_refused_login(text: str) -> None:
    with pytest.raises(LoginRefused, match=text):
        begun().receive(f"-ERR '{text}'\r\n".encode())


def test_faults_that_end_it_and_those_that_do_not() -> None:
    session = logged_in()
    session.receive(b"-ERR 'Permissions Violation for Publish to \"a\"'\r\n")
    assert session.refusal.startswith("Permissions Violation")
    with pytest.raises(NatsDisconnected, match="Stale Connection"):
        session.receive(b"-ERR 'Stale Connection'\r\n")
    with pytest.raises(NatsProtocolError, match="doesn't speak NATS"):
        logged_in().receive(b"AMQP\r\n")


def test_more_than_the_server_takes_is_refused_here() -> None:
    session = logged_in()
    session.publish("a", bytes(100))
    with pytest.raises(ValueError, match="max_payload 100"):
        session.publish("a", bytes(101))
    with pytest.raises(ValueError, match="max_payload 100"):
        session.publish("a", bytes(90), headers={"A": "b"})
