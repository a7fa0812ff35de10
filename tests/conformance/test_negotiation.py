"""From the protocol header to an open connection, and the ways out again (A.3)."""

from __future__ import annotations

import pika
import pytest
from pika.exceptions import ProbableAuthenticationError

from tests.conformance.scenario import Workbench
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import (
    Address,
    Close,
    WireClient,
    close_connection,
    open_connection,
    start_ok,
    tune_ok,
    wire_client,
)

CAPABILITIES = {
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
}


def test_start_says_what_the_broker_can(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        start = client.start()
        assert (start.octet(), start.octet()) == (0, 9)
        properties = start.table()
        mechanisms, locales = start.longstr().split(), start.longstr().split()
    capabilities = properties.pop("capabilities").value
    assert isinstance(capabilities, dict)
    assert set(capabilities) >= CAPABILITIES
    assert {(field.tag, field.value) for field in capabilities.values()} == {("t", True)}
    assert set(properties) >= {"cluster_name", "copyright", "information", "platform", "product", "version"}
    assert {field.tag for field in properties.values()} == {"S"}
    assert properties["product"].value == "RabbitMQ"
    version = tuple(int(part) for part in str(properties["version"].value).split(".")[:2])
    assert version >= (3, 3), "clients look for features by version"
    assert {"PLAIN", "AMQPLAIN"} <= set(mechanisms)
    assert "en_US" in locales


def test_tune_offers_the_usual_limits(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        client.start()
        client.send(start_ok())
        tune = client.expect("connection.tune", 0)
    assert (tune.short(), tune.long(), tune.short()) == (2047, 131072, 60)


def amqplain(user: str, password: str) -> bytes:
    """A table without its length (A.3 SASL)."""
    return wire.table({"LOGIN": user, "PASSWORD": password})[4:]


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [("PLAIN", b"\0guest\0guest"), ("AMQPLAIN", amqplain("guest", "guest"))],
)
def test_logging_in(broker_address: Address, mechanism: str, response: bytes) -> None:
    with WireClient(broker_address) as client:
        client.handshake(mechanism=mechanism, response=response)
        client.open_channel()
        client.close()


REFUSED_LOGINS = [
    ("PLAIN", b"\0guest\0wrong"),
    ("PLAIN", b"\0nobody\0guest"),
    ("PLAIN", b"\0guest\0"),
    ("AMQPLAIN", amqplain("guest", "wrong")),
]


@pytest.mark.parametrize(("mechanism", "response"), REFUSED_LOGINS)
def test_refused_login_is_said_to_who_understands(broker_address: Address, mechanism: str, response: bytes) -> None:
    with WireClient(broker_address) as client:
        client.start()
        client.send(start_ok(mechanism, response))
        close = client.expect_connection_close()
    assert close.code == 403
    words = f"ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}."
    assert close.text == f"{words} For details see the broker logfile."


@pytest.mark.parametrize(("mechanism", "response"), REFUSED_LOGINS[:1])
def test_refused_login_of_an_old_client_just_closes(broker_address: Address, mechanism: str, response: bytes) -> None:
    with WireClient(broker_address) as client:
        client.start()
        client.send(start_ok(mechanism, response, wire.table({"product": "old"})))
        client.expect_end()


def test_pika_explains_a_refused_login(bench: Workbench) -> None:
    with pytest.raises(ProbableAuthenticationError, match="403"):
        bench.connect(password="wrong")


REFUSED_TUNES = [
    (2047, 4095, "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"),
    (2047, 1, "negotiated frame_max = 1 is lower than the minimum allowed value (4096)"),
    (2047, 131073, "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)"),
    (2047, 0, "negotiated frame_max = 0 is higher than the maximum allowed value (131072)"),
    (2048, 131072, "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"),
    (65535, 131072, "negotiated channel_max = 65535 is higher than the maximum allowed value (2047)"),
    (0, 131072, "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"),
]


@pytest.mark.parametrize(("channel_max", "frame_max", "words"), REFUSED_TUNES)
def test_refused_limits(broker_address: Address, channel_max: int, frame_max: int, words: str) -> None:
    with WireClient(broker_address) as client:
        client.start()
        client.send(start_ok())
        client.expect("connection.tune", 0)
        client.send(tune_ok(channel_max, frame_max, 0))
        close = client.expect_connection_close()
    assert (close.code, close.text) == (530, f"NOT_ALLOWED - {words}")


@pytest.mark.parametrize(
    ("channel_max", "frame_max", "heartbeat_s"), [(1, 4096, 0), (2047, 131072, 65535), (100, 8192, 600)]
)
def test_accepted_limits(broker_address: Address, channel_max: int, frame_max: int, heartbeat_s: int) -> None:
    limits = {"channel_max": channel_max, "frame_max": frame_max, "heartbeat_s": heartbeat_s}
    with wire_client(broker_address, **limits) as client:
        client.round_trip(1)
        client.close()


def test_unknown_virtual_host(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        client.start()
        client.send(start_ok())
        client.expect("connection.tune", 0)
        client.send(tune_ok(), open_connection("nowhere"))
        close = client.expect_connection_close()
    assert (close.code, close.class_id, close.method_id) == (530, 10, 40)
    assert close.text == "NOT_ALLOWED - vhost nowhere not found"


def test_methods_in_the_wrong_state(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.send(open_connection())
        close = client.expect_connection_close()
    assert close.code == 504
    assert close.text.startswith("CHANNEL_ERROR - unexpected method in connection state")


def test_close_is_answered(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.close()


def test_frames_behind_close_are_ignored(bench: Workbench) -> None:
    with wire_client(bench.address) as client:
        client.send(close_connection(), wire.method(1, "tx.commit"), wire.heartbeat())
        client.expect("connection.close-ok", 0)


def test_both_sides_closing_at_once(broker_address: Address) -> None:
    """The broker's close crosses the client's, which still gets its close-ok (A.3.11)."""
    with wire_client(broker_address) as client:
        client.send(open_connection(), close_connection())
        assert Close.of(client.read_frame()).code == 504
        client.expect("connection.close-ok", 0)


def test_close_of_a_failed_connection_names_the_method(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        arguments = wire.long(7) + wire.short(0) + wire.bits(False)
        client.send(wire.method(1, "basic.qos", arguments))
        close = client.expect_connection_close()
    assert (close.code, close.class_id, close.method_id) == (540, 60, 10)


def test_broker_waits_for_close_ok(broker_address: Address) -> None:
    """What arrives between the broker's close and the client's close-ok is ignored."""
    with wire_client(broker_address) as client:
        client.send(wire.method(1, "channel.open", wire.shortstr("")))
        assert client.expect("connection.close", 0).short() == 504
        client.send(wire.method(1, "tx.select"), wire.heartbeat())
        client.send(wire.method(0, "connection.close-ok"))
        client.expect_end()


def test_update_secret(bench: Workbench) -> None:
    connection = bench.connect()
    connection.update_secret("new secret", "because")
    connection.channel().basic_qos(prefetch_count=1)


def test_client_properties_of_every_type(broker_address: Address) -> None:
    properties = {
        "product": "test",
        "connection_name": "named by its client",
        "capabilities": {"authentication_failure_close": True, "unknown": True, "consumer_cancel_notify": False},
        "number": 2**40,
        "list": [1, "two", {"three": 3.0}],
        "nothing": None,
        "time": wire.Tagged("T", wire.longlong(1)),
    }
    with WireClient(broker_address) as client:
        client.handshake(client_properties=wire.table(properties))
        client.open_channel()
        client.close()


def test_one_octet_at_a_time(broker_address: Address) -> None:
    """How bytes are cut never matters."""
    with WireClient(broker_address) as client:
        for number in wire.PROTOCOL_HEADER:
            client.send(bytes([number]))
        client.expect("connection.start", 0)
        for number in start_ok() + tune_ok() + open_connection():
            client.send(bytes([number]))
        client.expect("connection.tune", 0)
        client.expect("connection.open-ok", 0)


def test_pika_with_its_defaults(bench: Workbench) -> None:
    host, port = bench.address
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, port))
    assert connection.publisher_confirms_supported
    assert connection.consumer_cancel_notify_supported
    connection.close()
