"""Values, patterns, channels, times and logins beyond their limits: each is counted under its name, and told of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_websocket import WebSocketClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.connection import CLOSE_OK_WAIT_MS
from warren.adapters.proxy_protocol.header import V1_BYTES_MAX
from warren.adapters.proxy_protocol.stage import expect_proxy_header
from warren.adapters.stomp.session import TYPING_TIMEOUT_MS
from warren.adapters.websocket.http_stage import KEPT_MS
from warren.core.access.patterns import VALUES_CHARACTERS_MAX
from warren.core.administration.definitions_json import importing
from warren.core.administration.listing.selecting import Query, matches, select
from warren.core.errors import AccessRefused, BrokerError, PreconditionFailed
from warren.core.exchanges.consistent_hash import WEIGHT_MAX
from warren.core.messages.field_table import NESTING_MAX, FieldValue
from warren.core.policies.policy import PRIORITY_MAX, make_policy

TOO_LARGE = 10**12
ENDLESS = r"(a*)(a*)(a*)(a*)(a*)\1\2b"
"""An expression that no answer is found to within the bounds, for a text of so many a."""

LONG = "a" * 255


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def hits(broker: SimulatedBroker) -> dict[str, int]:
    return {name: each.times for name, each in broker.broker.limit_hits.by_limit.items()}


# Values


def declare(client: SimulatedClient, **arguments: FieldValue) -> None:
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    client.send(1, methods.QueueDeclare(queue="new", arguments=named))


def bind(client: SimulatedClient, weight: int) -> None:
    client.send(1, methods.ExchangeDeclare(exchange="h", type="x-consistent-hash"))
    client.declare("q")
    client.send(1, methods.QueueBind(queue="q", exchange="h", routing_key=str(weight)))


VALUES: list[Callable[[SimulatedClient], None]] = [
    lambda client: declare(client, x_message_ttl=TOO_LARGE),
    lambda client: declare(client, x_max_priority=256),
    lambda client: client.send(
        1, methods.ExchangeDeclare(exchange="e", type="topic", arguments={"x-cache-size": TOO_LARGE})
    ),
    lambda client: client.send(1, methods.QueueDeclare(queue="", arguments={"x-name-prefix": "p" * 65})),
    lambda client: client.send(
        1,
        methods.ExchangeDeclare(
            exchange="e", type="x-recent-history", arguments={"x-recent-history-length": TOO_LARGE}
        ),
    ),
    lambda client: bind(client, WEIGHT_MAX + 1),
    lambda client: client.publish("q", b"x", properties=b"\x01\x00" + bytes([13]) + b"%d" % TOO_LARGE),
]


@pytest.mark.parametrize("ask", VALUES)
def test_a_value_beyond_its_bound(broker: SimulatedBroker, ask: Callable[[SimulatedClient], None]) -> None:
    client = broker.connect()
    ask(client)
    assert client.expect(methods.ChannelClose).reply_code == 406
    assert hits(broker) == {"values of arguments": 1}


@pytest.mark.parametrize("value", [-1, "many"])
def test_what_is_wrong_otherwise_comes_from_no_limit(broker: SimulatedBroker, value: FieldValue) -> None:
    client = broker.connect()
    declare(client, x_message_ttl=value)
    assert client.expect(methods.ChannelClose).reply_code == 406
    assert hits(broker) == {}


def test_stomp_counts_what_core_refuses(broker: SimulatedBroker) -> None:
    client = StompClient(broker)
    client.connect()
    client.send("SEND", b"x", destination="/queue/q", expiration=str(TOO_LARGE))
    assert client.closed
    assert hits(broker) == {"values of arguments": 1}


def limit_of(call: Callable[[], object]) -> str:
    with pytest.raises(BrokerError) as caught:
        call()
    return caught.value.limit


def test_what_administrators_set(broker: SimulatedBroker) -> None:
    """Their errors say the limit; who answers them counts it."""
    users = broker.broker.users
    assert limit_of(lambda: make_policy("policy", "p", "", {"max-length": 1}, PRIORITY_MAX + 1)) == (
        "values of arguments"
    )
    assert not limit_of(lambda: make_policy("policy", "p", "", {"max-length": 1}, "high"))
    deep = "(" * 100 + ")" * 100
    assert limit_of(lambda: users.set_permissions("guest", "/", deep, "", "")) == "work of a pattern"
    assert limit_of(lambda: make_policy("policy", "p", deep, {"max-length": 1})) == "work of a pattern"
    large = r"(?=(a{1000}){1000})"
    assert limit_of(lambda: users.set_permissions("guest", "/", large, "", "")) == "work of a pattern"
    assert not limit_of(lambda: users.set_permissions("guest", "/", "(", "", ""))
    nested = "[" * 20 + "]" * 20
    definitions = (
        '{"vhosts":[{"name":"/"}],"queues":[{"name":"q","vhost":"/","durable":true,"auto_delete":false,'
        f'"arguments":{{"a":{nested}}}}}]}}'
    )
    assert limit_of(lambda: importing.import_definitions(broker.broker, definitions)) == "nesting of values"
    deep_definitions = definitions.replace(nested, "1").replace('"a"', '"x-max-priority"')
    assert not limit_of(lambda: importing.import_definitions(broker.broker, deep_definitions + "?"))


def nested_table(levels: int) -> bytes:
    table = b"\x01aI\0\0\0\x01"
    for _ in range(levels):
        table = b"\x01aF" + len(table).to_bytes(4, "big") + table
    return len(table).to_bytes(4, "big") + table


def test_nesting(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.publish("q", b"x", properties=b"\x20\x00" + nested_table(NESTING_MAX))
    assert client.expect(methods.ConnectionClose, 0).reply_code == 502
    assert hits(broker) == {"nesting of values": 1}


# Patterns


def test_a_permission_that_takes_too_long(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    users.set_permissions("guest", "/", ENDLESS, "", "")
    with pytest.raises(AccessRefused):
        users.check("guest", "/", "queue", LONG, "configure")
    assert hits(broker) == {"work of a pattern": 1}


def test_values_that_make_a_permission_too_long(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    users.set_topic_permissions("guest", "/", "amq.topic", "{client_id}", ".*")
    with pytest.raises(AccessRefused):
        users.check_topic("guest", "/", "amq.topic", "a", "write", {"client_id": "x" * (VALUES_CHARACTERS_MAX + 20)})
    assert hits(broker) == {"values in a permission": 1}


def test_a_policy_that_takes_too_long(broker: SimulatedBroker) -> None:
    broker.broker.policies.set(broker.vhost, make_policy("policy", "p", ENDLESS, {"max-length": 1}))
    client = broker.connect()
    client.declare(LONG)
    assert hits(broker) == {"work of a pattern": 1}


def test_a_filter_of_a_listing_that_takes_too_long(broker: SimulatedBroker) -> None:
    broker.connect().declare(LONG)
    assert select(broker.broker, Query("queues", conditions=[matches("name", ENDLESS)])).finish().rows == []
    assert hits(broker) == {"work of a pattern": 1}


# Channels, times, logins


def test_a_channel_too_many() -> None:
    broker = SimulatedBroker()
    client = broker.accept()
    client.handshake(channel_max=2)
    client.open(1)
    client.open(2)
    client.send(3, methods.ChannelOpen())
    assert client.expect(methods.ConnectionClose, 0).reply_code == 530
    assert hits(broker) == {"channel_max": 1}


def test_an_acknowledgement_that_doesnt_come(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = broker.connect()
    for name in ("a", "b"):
        client.declare(name)
        client.publish(name, b"x")
        client.send(1, methods.BasicConsume(queue=name, consumer_tag=name, arguments={"x-consumer-timeout": 1000}))
    client.take()
    for _ in range(20):
        broker.advance(125)
    assert hits(broker) == {"consumer_timeout_ms": 2}
    lines = [record.getMessage() for record in caplog.records if "cancelling it" in record.getMessage()]
    assert len(lines) == 1, "once a minute of each channel"


def test_refused_logins_that_wait(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    broker.broker.refused_logins.waiting_max = 2
    for _ in range(4):
        broker.accept().send_bytes(handshake_bytes(user="nobody", password="wrong"))
        broker.settle()
    assert hits(broker) == {"refused_logins_max": 2}
    lines = [record.getMessage() for record in caplog.records if "refused_logins_max" in record.getMessage()]
    assert len(lines) == 1


def accept_amqp(broker: SimulatedBroker) -> object:
    return broker.accept()


def accept_proxy(broker: SimulatedBroker) -> object:
    return accepted(broker, expect_proxy_header(Recorder().accept, 10_000), "10.0.0.1", 40_000)


def accept_http(broker: SimulatedBroker) -> object:
    return WebSocketClient(broker)


def accept_request(broker: SimulatedBroker) -> object:
    client = WebSocketClient(broker)
    client.send(b"GET / HTTP/1.1\r\n")
    return client


def person(broker: SimulatedBroker) -> object:
    client = StompClient(broker)
    client.transport.receive(b"HELP\n")
    return client


TIMES: list[tuple[Callable[[SimulatedBroker], object], int, str]] = [
    (accept_amqp, 10_000, "handshake_timeout_s"),
    (accept_proxy, 10_000, "handshake_timeout_s"),
    (accept_http, 10_000, "handshake_timeout_s"),
    (accept_request, 10_000, "handshake_timeout_s"),
    (StompClient, 10_000, "stomp_login_timeout_s"),
    (person, TYPING_TIMEOUT_MS, "stomp_login_timeout_s"),
    (MqttClient, 10_000, "mqtt_login_timeout_s"),
]


@pytest.mark.parametrize(("accept", "timeout_ms", "limit"), TIMES)
def test_who_doesnt_log_in(
    broker: SimulatedBroker, accept: Callable[[SimulatedBroker], object], timeout_ms: int, limit: str
) -> None:
    accept(broker)
    broker.advance(timeout_ms - 1)
    assert hits(broker) == {}
    broker.advance(1)
    assert hits(broker) == {limit: 1}


def test_an_http_connection_without_a_further_request(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = WebSocketClient(broker)
    client.send(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n")
    broker.advance(KEPT_MS)
    assert client.closed
    assert hits(broker) == {"idle HTTP connections": 1}
    assert "no further request for 60 s" in caplog.text


def test_a_proxy_header_that_is_too_long(broker: SimulatedBroker) -> None:
    transport = accepted(broker, expect_proxy_header(Recorder().accept, 10_000), "10.0.0.1", 40_000)
    transport.receive(b"PROXY TCP4 " + b"1" * V1_BYTES_MAX)
    binary = accepted(broker, expect_proxy_header(Recorder().accept, 10_000), "10.0.0.1", 40_001)
    binary.receive(bytes.fromhex("0D0A0D0A000D0A515549540A 21 11 FFFF"))
    other = accepted(broker, expect_proxy_header(Recorder().accept, 10_000), "10.0.0.1", 40_002)
    other.receive(b"AMQP")
    assert hits(broker) == {"bytes of a PROXY header": 2}


def test_a_client_that_doesnt_say_goodbye(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.connection.force_close("maintenance")
    broker.advance(CLOSE_OK_WAIT_MS)
    assert hits(broker) == {"goodbyes": 1}


def test_silence(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.handshake(heartbeat=1)
    device = MqttClient(broker)
    device.connect("device", keep_alive_s=1)
    text = StompClient(broker)
    text.connect(heart_beat="1000,0")
    for _ in range(50):
        broker.advance(100)
    assert hits(broker) == {"missed heart-beats": 3}


def test_nothing_of_all_that_is_counted_for_nothing(broker: SimulatedBroker) -> None:
    client = broker.connect()
    declare(client, x_message_ttl=1000, x_max_priority=9)
    client.expect(methods.QueueDeclareOk)
    users = broker.broker.users
    users.set_permissions("guest", "/", "^a", ".*", ".*")
    with pytest.raises(AccessRefused):
        users.check("guest", "/", "queue", "b", "configure")
    with pytest.raises(PreconditionFailed):
        users.set_permissions("guest", "/", "(", "", "")
    assert hits(broker) == {}
