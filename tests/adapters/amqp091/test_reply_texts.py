"""Why a channel or connection was closed, in RabbitMQ's words: every row of tests/support/reply_texts.py.

Programs compare these texts.  The same rows are held against RabbitMQ itself in tests/conformance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import reply_texts
from tests.support.reply_texts import Row, begins_with
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import PROTOCOL_HEADER, SHORT_STRING_BYTES_MAX
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.clients.limits import BrokerLimits
from warren.core.messages.field_table import FieldTable

SETTINGS = Amqp091Settings()


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.close()


def connect(broker: SimulatedBroker) -> SimulatedClient:
    """With what the broker offers, as the rows assume it."""
    client = broker.accept()
    client.handshake(channel_max=SETTINGS.channel_max, frame_max=SETTINGS.frame_max_bytes)
    client.open(1)
    return client


def begin_handshake(broker: SimulatedBroker, user: str = "guest", password: str = "guest") -> SimulatedClient:
    """Up to connection.tune."""
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    capabilities: FieldTable = {"capabilities": {"authentication_failure_close": True}}
    client.send(0, methods.ConnectionStartOk(capabilities, "PLAIN", f"\0{user}\0{password}".encode(), "en_US"))
    return client


def close_of(client: SimulatedClient) -> methods.ConnectionClose | methods.ChannelClose:
    """The first close that came."""
    for event in client.take():
        if isinstance(event.method, methods.ConnectionClose | methods.ChannelClose):
            return event.method
    raise AssertionError("nothing was closed")


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in reply_texts.ROWS])
def test_the_table(broker: SimulatedBroker, row: Row) -> None:
    if row.before:
        connect(broker).send_bytes(row.before)
    client = connect(broker)
    client.send_bytes(row.frames)
    close = close_of(client)
    assert isinstance(close, methods.ConnectionClose) == (row.closes == "connection")
    assert close.reply_code == row.code
    assert begins_with(close.reply_text, row.text, exact=row.exact), close.reply_text


def test_names_of_rows_are_told_apart() -> None:
    names = [row.name for row in reply_texts.ROWS]
    assert len(set(names)) == len(names)


def test_a_hint_is_not_a_change_of_the_sentence() -> None:
    assert begins_with("A - b; c", "A - b", exact=False)
    assert not begins_with("A - b; c", "A - b", exact=True)
    assert not begins_with("A - b and c", "A - b", exact=False)
    assert begins_with("x" * SHORT_STRING_BYTES_MAX, "x" * 300, exact=False)


def test_the_hint_of_an_exact_text_is_in_the_log(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="warren.amqp")
    client = connect(broker)
    client.send_bytes(reply_texts.ACK_82)
    assert close_of(client).reply_text == "PRECONDITION_FAILED - unknown delivery tag 82"
    assert "unknown delivery tag 82; it was settled before, or delivered on another channel" in caplog.text


# Refusals of the handshake, and of limits, which need another configuration


@pytest.mark.parametrize(
    ("tuned", "text"),
    [
        ((2048, 131072), "channel_max = 2048 is higher than the maximum allowed value (2047)"),
        ((0, 131072), "channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"),
        ((10, 131073), "frame_max = 131073 is higher than the maximum allowed value (131072)"),
        ((10, 0), "frame_max = 0 is higher than the maximum allowed value (131072)"),
        ((10, 4095), "frame_max = 4095 is lower than the minimum allowed value (4096)"),
    ],
)
def test_limits_that_cant_be_agreed_on(broker: SimulatedBroker, tuned: tuple[int, int], text: str) -> None:
    client = begin_handshake(broker)
    client.send(0, methods.ConnectionTuneOk(*tuned, 0))
    close = close_of(client)
    assert (close.reply_code, close.reply_text) == (530, f"NOT_ALLOWED - negotiated {text}")


def test_the_virtual_host(broker: SimulatedBroker) -> None:
    client = begin_handshake(broker)
    client.send(0, methods.ConnectionTuneOk(10, 4096, 0))
    client.send(0, methods.ConnectionOpen("nowhere"))
    close = close_of(client)
    assert (close.reply_code, close.reply_text) == (530, "NOT_ALLOWED - vhost nowhere not found")


def test_a_method_that_isnt_due(broker: SimulatedBroker) -> None:
    client = begin_handshake(broker)
    client.send(0, methods.ConnectionOpen("/"))
    close = close_of(client)
    assert close.reply_code == 504
    assert begins_with(close.reply_text, "CHANNEL_ERROR - unexpected method in connection state tuning", exact=False), (
        close.reply_text
    )


def test_a_mechanism_that_isnt_there(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.send_bytes(PROTOCOL_HEADER)
    client.send(0, methods.ConnectionStartOk({}, "NONSENSE", b"", "en_US"))
    close = close_of(client)
    assert (close.reply_code, close.reply_text) == (
        503,
        "COMMAND_INVALID - unknown authentication mechanism 'NONSENSE'",
    )


def test_a_message_too_large(broker: SimulatedBroker) -> None:
    broker.settings = replace(SETTINGS, message_bytes_max=100)
    client = connect(broker)
    client.send_bytes(reply_texts.publish(body=b"x" * 101))
    close = close_of(client)
    assert (close.reply_code, close.reply_text) == (
        406,
        "PRECONDITION_FAILED - message size 101 is larger than configured max size 100",
    )


def test_one_consumer_too_many(broker: SimulatedBroker) -> None:
    broker.broker.limits = BrokerLimits(consumers_per_channel=1)
    client = connect(broker)
    client.send_bytes(reply_texts.declare() + reply_texts.consume() + reply_texts.consume(tag="second"))
    close = close_of(client)
    assert close.reply_code == 530
    assert begins_with(close.reply_text, "NOT_ALLOWED - reached maximum (1) of consumers per channel", exact=False), (
        close.reply_text
    )


def test_one_channel_of_a_user_too_many(broker: SimulatedBroker) -> None:
    broker.broker.users.set_limits("guest", {"max-channels": 1})
    client = connect(broker)
    client.send(2, methods.ChannelOpen())
    close = close_of(client)
    assert (close.reply_code, close.reply_text) == (
        530,
        "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of (1)",
    )


def test_one_channel_of_the_node_too_many(broker: SimulatedBroker) -> None:
    broker.broker.limits = BrokerLimits(channels=1)
    client = connect(broker)
    client.send(2, methods.ChannelOpen())
    close = close_of(client)
    assert close.reply_code == 530
    assert close.reply_text.startswith("NOT_ALLOWED - number of channels opened on node '")
    assert close.reply_text.endswith("' has reached the maximum allowed limit of (1)")


def test_a_user_without_permissions(broker: SimulatedBroker) -> None:
    broker.broker.users.add_user("nobody", "secret")
    client = begin_handshake(broker, "nobody", "secret")
    client.send(0, methods.ConnectionTuneOk(10, 4096, 0))
    client.send(0, methods.ConnectionOpen("/"))
    close = close_of(client)
    assert close.reply_code == 530
    assert begins_with(close.reply_text, "NOT_ALLOWED - access to vhost '/' refused for user 'nobody'", exact=False), (
        close.reply_text
    )
