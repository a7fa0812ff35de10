"""From the protocol header to connection.open-ok, and every way in which that fails (spec A.3)."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import CAPABILITIES, SimulatedClient, handshake_bytes
from warren.adapters.amqp091.codec import methods, methods_legacy
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.messages.field_table import FieldTable, encode_table

NO_CAPABILITIES: FieldTable = {}


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def started(broker: SimulatedBroker, peer_host: str = "127.0.0.1") -> SimulatedClient:
    client = broker.accept(peer_host)
    client.send_bytes(PROTOCOL_HEADER)
    client.expect(methods.ConnectionStart, 0)
    return client


def log_in(
    client: SimulatedClient,
    response: bytes = b"\0guest\0guest",
    mechanism: str = "PLAIN",
    capabilities: FieldTable = CAPABILITIES,
) -> None:
    properties: FieldTable = {"capabilities": capabilities, "connection_name": "tester"}
    client.send(0, methods.ConnectionStartOk(properties, mechanism, response, "en_US"))


def tuned(broker: SimulatedBroker) -> SimulatedClient:
    client = started(broker)
    log_in(client)
    client.expect(methods.ConnectionTune, 0)
    client.send(0, methods.ConnectionTuneOk(100, 4096, 0))
    return client


def assert_refused(client: SimulatedClient, code: int, text: str) -> methods.ConnectionClose:
    """One connection.close, then the end, and nothing left behind."""
    [method] = client.take_methods()
    assert isinstance(method, methods.ConnectionClose)
    assert method.reply_code == code
    assert text in method.reply_text
    assert client.transport.closed
    client.broker.check()
    assert client.broker.timers == 0
    return method


def test_a_whole_handshake(broker: SimulatedBroker) -> None:
    client = started(broker)
    log_in(client)
    tune = client.expect(methods.ConnectionTune, 0)
    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131072, 60)
    client.send(0, methods.ConnectionTuneOk(7, 5000, 0))
    assert client.take() == []
    client.send(0, methods.ConnectionOpen("/"))
    client.expect(methods.ConnectionOpenOk, 0)
    row = client.connection.connection_row()
    assert (row.state, row.channel_max, row.frame_max) == ("running", 7, 5000)
    assert (row.user, row.vhost, row.user_provided_name) == ("guest", "/", "tester")
    assert broker.timers == 0, "nothing waits for a handshake that is through"


def test_the_start_says_what_clients_look_for(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    start = client.expect(methods.ConnectionStart, 0)
    assert (start.version_major, start.version_minor) == (0, 9)
    assert start.mechanisms == b"PLAIN AMQPLAIN"
    assert start.locales == b"en_US"
    assert start.server_properties["product"] == "RabbitMQ"
    capabilities = start.server_properties["capabilities"]
    assert isinstance(capabilities, dict)
    assert set(capabilities) >= {"publisher_confirms", "consumer_cancel_notify", "connection.blocked", "basic.nack"}
    assert all(value is True for value in capabilities.values())


@pytest.mark.parametrize("header", [b"AMQP\x01\x01\x00\x09", b"AMQP\x01\x01\x08\x00", b"AMQP\x01\x01\x09\x01"])
def test_older_headers_are_served_without_tables_in_the_start(broker: SimulatedBroker, header: bytes) -> None:
    client = broker.accept()
    for byte in header:
        client.send_bytes(bytes([byte]))
    start = client.expect(methods.ConnectionStart, 0)
    assert all(isinstance(value, str) for value in start.server_properties.values())


def test_the_oldest_dialect_works_to_the_end(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.send_bytes(b"AMQP\x01\x01\x09\x01")
    login = encode_table({"LOGIN": "guest", "PASSWORD": "guest"})[4:]
    said = [
        methods.ConnectionStartOk({}, "AMQPLAIN", login, "en_US"),
        methods.ConnectionTuneOk(100, 4096, 0),
        methods.ConnectionOpen("/"),
    ]
    client.send_bytes(b"".join(methods_legacy.encode_frame(0, method) for method in said))
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names[:2] == ["connection.start", "connection.tune"]
    assert client.connection.state == "running"


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"AMQP\x00\x00\x09\x00",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\x02\x01\x00\x00",
        b"AMQP\x00\x00\x0a\x01",
        b"amqp\x00\x00\x09\x01",
        b"\0",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_any_other_header_is_answered_with_ours(broker: SimulatedBroker, header: bytes, cut: bool) -> None:
    client = broker.accept()
    for part in [bytes([byte]) for byte in header] if cut else [header]:
        client.send_bytes(part)
    broker.settle()
    assert client.transport.take() == PROTOCOL_HEADER
    assert client.transport.closed
    broker.check()
    assert broker.timers == 0


def test_a_header_in_parts_is_waited_for(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.send_bytes(b"")
    client.send_bytes(PROTOCOL_HEADER[:7])
    assert client.take() == []
    client.send_bytes(PROTOCOL_HEADER[7:])
    client.expect(methods.ConnectionStart, 0)


@pytest.mark.parametrize("peer_host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_guest_may_come_from_loopback(broker: SimulatedBroker, peer_host: str) -> None:
    client = started(broker, peer_host)
    log_in(client)
    client.expect(methods.ConnectionTune, 0)


@pytest.mark.parametrize(
    ("response", "peer_host"),
    [
        (b"\0guest\0wrong", "127.0.0.1"),
        (b"\0nobody\0guest", "127.0.0.1"),
        (b"\0guest\0", "127.0.0.1"),
        (b"\0\xff\xfe\0guest", "127.0.0.1"),
        (b"\0guest\0guest", "192.0.2.1"),
        (b"\0guest\0guest", "::ffff:192.0.2.1"),
    ],
)
def test_a_refused_login_is_told_to_clients_that_can_hear_it(
    broker: SimulatedBroker, response: bytes, peer_host: str
) -> None:
    client = started(broker, peer_host)
    log_in(client, response)
    assert client.take() == []
    broker.advance(broker.broker.refused_logins.delay_ms)
    close = assert_refused(
        client, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see"
    )
    assert (close.class_id, close.method_id) == (0, 0)


def test_a_refused_login_ends_in_silence_for_other_clients(broker: SimulatedBroker) -> None:
    client = started(broker)
    log_in(client, b"\0guest\0wrong", capabilities=NO_CAPABILITIES)
    assert client.take() == []
    broker.advance(broker.broker.refused_logins.delay_ms - 1)
    assert not client.transport.closed
    broker.advance(1)
    assert client.transport.closed
    assert client.take() == []
    broker.check()


@pytest.mark.parametrize("value", ["yes", 1, False, None])
def test_a_capability_counts_only_if_it_is_true(broker: SimulatedBroker, value: str | int | None) -> None:
    client = started(broker)
    log_in(client, b"\0guest\0wrong", capabilities={"authentication_failure_close": value})
    assert client.take() == []


@pytest.mark.parametrize(
    ("mechanism", "response", "code", "text"),
    [
        ("GSSAPI", b"", 503, "unknown authentication mechanism 'GSSAPI'"),
        ("PLAIN", b"guest\0guest", 502, "PLAIN"),
        ("PLAIN", b"admin\0guest\0guest", 502, "PLAIN"),
        ("AMQPLAIN", b"\xff\xff", 502, "AMQPLAIN"),
        ("AMQPLAIN", encode_table({"LOGIN": "guest"})[4:], 502, "PASSWORD"),
        ("EXTERNAL", b"", 403, "certificate"),
    ],
)
def test_malformed_logins(broker: SimulatedBroker, mechanism: str, response: bytes, code: int, text: str) -> None:
    client = started(broker)
    log_in(client, response, mechanism)
    assert_refused(client, code, text)


def test_amqplain(broker: SimulatedBroker) -> None:
    client = started(broker)
    log_in(client, encode_table({"LOGIN": "guest", "PASSWORD": b"guest"})[4:], "AMQPLAIN")
    client.expect(methods.ConnectionTune, 0)


def test_external_trusts_the_certificate(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.transport.certificate_name = "guest"
    client.send_bytes(PROTOCOL_HEADER)
    assert b"EXTERNAL" in client.expect(methods.ConnectionStart, 0).mechanisms
    log_in(client, b"", "EXTERNAL")
    client.expect(methods.ConnectionTune, 0)


@pytest.mark.parametrize(
    ("tune_ok", "text"),
    [
        (methods.ConnectionTuneOk(100, 4095, 0), "negotiated frame_max = 4095 is lower than the minimum allowed value"),
        (methods.ConnectionTuneOk(100, 0, 0), "negotiated frame_max = 0 is higher than the maximum allowed value"),
        (
            methods.ConnectionTuneOk(100, 131073, 0),
            "frame_max = 131073 is higher than the maximum allowed value (131072)",
        ),
        (
            methods.ConnectionTuneOk(0, 4096, 0),
            "channel_max = 0 (no limit) is higher than the maximum allowed value",
        ),
        (methods.ConnectionTuneOk(2048, 4096, 0), "channel_max = 2048 is higher than the maximum allowed value (2047)"),
    ],
)
def test_tuning_out_of_bounds(broker: SimulatedBroker, tune_ok: methods.ConnectionTuneOk, text: str) -> None:
    client = started(broker)
    log_in(client)
    client.expect(methods.ConnectionTune, 0)
    client.send(0, tune_ok)
    assert_refused(client, 530, text)


def test_the_clients_heartbeat_wins(broker: SimulatedBroker) -> None:
    client = started(broker)
    log_in(client)
    client.expect(methods.ConnectionTune, 0)
    client.send(0, methods.ConnectionTuneOk(1, 4096, 65535))
    client.send(0, methods.ConnectionOpen("/"))
    client.expect(methods.ConnectionOpenOk, 0)
    assert client.connection.agreed.heartbeat_s == 65535


def test_an_unknown_vhost(broker: SimulatedBroker) -> None:
    client = tuned(broker)
    client.send(0, methods.ConnectionOpen("nowhere"))
    close = assert_refused(client, 530, "NOT_ALLOWED - vhost nowhere not found")
    assert (close.class_id, close.method_id) == (10, 40)


def test_a_vhost_without_permission(broker: SimulatedBroker) -> None:
    broker.broker.add_vhost("other", {})
    client = tuned(broker)
    client.send(0, methods.ConnectionOpen("other"))
    assert_refused(client, 530, "access to vhost 'other' refused for user 'guest'")


@pytest.mark.parametrize(
    "method",
    [methods.ConnectionOpen("/"), methods.ConnectionTuneOk(1, 4096, 0), methods.ConnectionStart(), methods.TxSelect()],
)
def test_a_method_out_of_turn(broker: SimulatedBroker, method: methods.Method) -> None:
    client = started(broker)
    client.send(0, method)
    assert_refused(client, 504, "in connection state starting")


def test_channels_wait_for_the_end_of_the_handshake(broker: SimulatedBroker) -> None:
    client = tuned(broker)
    client.send(1, methods.ChannelOpen())
    assert_refused(client, 505, "channel 1 has to wait in connection state opening")


def test_a_heartbeat_during_the_handshake_is_fine(broker: SimulatedBroker) -> None:
    client = started(broker)
    client.send_bytes(HEARTBEAT_FRAME)
    log_in(client)
    client.expect(methods.ConnectionTune, 0)


def test_closing_during_the_handshake_is_answered(broker: SimulatedBroker) -> None:
    client = started(broker)
    client.send(0, methods.ConnectionClose(200))
    assert client.take_methods() == [methods.ConnectionCloseOk()]
    assert client.transport.closed
    broker.check()


def test_frames_before_the_login_are_small(broker: SimulatedBroker) -> None:
    client = started(broker)
    client.send_bytes(b"\x01\0\0" + (8193).to_bytes(4, "big") + b"x" * 10)
    assert_refused(client, 501, "frame_too_large")


@pytest.mark.parametrize("said", [b"", PROTOCOL_HEADER[:3], PROTOCOL_HEADER, handshake_bytes()[:-5]])
def test_a_handshake_has_ten_seconds(broker: SimulatedBroker, said: bytes) -> None:
    client = broker.accept()
    client.send_bytes(said)
    broker.advance(9_999)
    assert not client.transport.closed
    client.collect()
    client.events.clear()
    broker.advance(1)
    assert client.transport.aborted
    assert client.take() == [], "cut off without a word"
    broker.check()
    assert broker.timers == 0


def test_an_endless_drip_does_not_buy_time(broker: SimulatedBroker) -> None:
    client = broker.accept()
    for byte in handshake_bytes()[:100]:
        client.send_bytes(bytes([byte]))
        broker.advance(100)
    assert client.transport.aborted


def test_anonymous_is_offered_when_configured() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings(anonymous_user="guest"))
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    assert b"ANONYMOUS" in client.expect(methods.ConnectionStart, 0).mechanisms
    log_in(client, b"whoever", "ANONYMOUS")
    client.expect(methods.ConnectionTune, 0)


def test_only_the_configured_mechanisms_are_offered() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings(auth_mechanisms=frozenset({"PLAIN"})))
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    assert client.expect(methods.ConnectionStart, 0).mechanisms == b"PLAIN"
    log_in(client, b"\0guest\0guest", "PLAIN")
    client.expect(methods.ConnectionTune, 0)


def test_a_connection_lost_in_the_handshake_leaves_nothing(broker: SimulatedBroker) -> None:
    client = tuned(broker)
    client.lose()
    broker.check()
    assert not broker.broker.sessions
    assert broker.timers == 0


def test_a_stop_during_the_handshake_closes(broker: SimulatedBroker) -> None:
    client = tuned(broker)
    client.connection.shut_down("broker forced connection closure with reason 'shutdown'")
    broker.settle()
    assert client.transport.closed
    broker.check()
