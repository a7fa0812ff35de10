"""What comes while a connection or channel ends is ignored, as every protocol wants, but never silently."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import reply_texts
from tests.support.amqp_bytes import heartbeat
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Disconnect

OPEN = methods.encode_frame(1, methods.ChannelOpen())
CLOSE_OK = methods.encode_frame(1, methods.ChannelCloseOk())
MISSING = methods.encode_frame(1, methods.BasicGet(queue="missing"))


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    caplog.set_level("INFO")
    broker = SimulatedBroker()
    yield broker
    broker.close()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Its channel 1 has been closed by the broker, and it hasn't said close-ok."""
    client = broker.connect()
    client.send_bytes(MISSING)
    assert client.expect(methods.ChannelClose).reply_code == 404
    return client


# AMQP: a channel that the broker has closed


@pytest.mark.parametrize("count", [1, 2])
def test_opening_a_channel_before_close_ok_ends_the_connection(client: SimulatedClient, count: int) -> None:
    client.send_bytes(OPEN * count)
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.reply_text) == (504, "CHANNEL_ERROR - second 'channel.open' seen")
    assert (close.class_id, close.method_id) == (20, 10)
    assert not client.take_methods()


def test_behind_close_ok_the_channel_opens(client: SimulatedClient) -> None:
    client.send_bytes(CLOSE_OK + OPEN)
    client.expect(methods.ChannelOpenOk)


def test_both_sides_may_close_at_once(client: SimulatedClient) -> None:
    client.send(1, methods.ChannelClose(200))
    client.expect(methods.ChannelCloseOk)
    client.send_bytes(CLOSE_OK + OPEN)
    client.expect(methods.ChannelOpenOk)


def test_other_methods_are_ignored(client: SimulatedClient) -> None:
    client.send(1, methods.ChannelFlow(True))
    client.send(1, methods.BasicGetEmpty())
    client.send(1, methods.QueueDeclare(queue="q"))
    assert client.take() == []
    assert "q" not in client.broker.vhost.queues


def test_what_cant_be_read_is_an_error_there_too(client: SimulatedClient) -> None:
    client.send_bytes(b"\1\0\1\0\0\0\5\0\x3c\0\x50\0\xce")
    assert client.expect(methods.ConnectionClose, 0).reply_code == 502


@pytest.mark.parametrize("end", [CLOSE_OK, methods.encode_frame(1, methods.ChannelClose(200))])
def test_ignored_publishes_are_told_of_when_the_channel_is_gone(
    client: SimulatedClient, caplog: pytest.LogCaptureFixture, end: bytes
) -> None:
    client.send_bytes(publish_frames("q", b"body") * 3)
    assert "ignored" not in caplog.text
    client.send_bytes(end)
    assert "(1): ignored 3 publishes that came after its channel was closed by the broker" in caplog.text
    client.send_bytes(OPEN)
    client.close()
    assert caplog.text.count("ignored 3 publishes") == 1


def test_or_when_the_connection_is(client: SimulatedClient, caplog: pytest.LogCaptureFixture) -> None:
    client.send_bytes(publish_frames("q", b"body") * 2)
    client.lose()
    assert "ignored 2 publishes" in caplog.text


def test_a_channel_that_closes_without_them_says_nothing(
    client: SimulatedClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.send_bytes(CLOSE_OK)
    client.close()
    assert "ignored" not in caplog.text


# AMQP: the connection


def test_publishes_behind_connection_close_are_told_of(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = broker.connect()
    client.send_bytes(reply_texts.publish_method(immediate=True) + heartbeat() + publish_frames("q", b"body") * 4)
    client.expect(methods.ConnectionClose, 0)
    client.send(0, methods.ConnectionCloseOk())
    broker.settle()
    assert client.transport.closed
    assert "ignored 4 publishes that came after it was closed by the broker" in caplog.text


def test_or_where_close_ok_never_comes(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = broker.connect()
    client.send_bytes(reply_texts.publish_method(immediate=True) + publish_frames("q", b"body"))
    broker.advance(60_000)
    assert client.transport.aborted
    assert "ignored 1 publishes" in caplog.text


def test_bytes_behind_the_clients_own_close(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = broker.connect()
    late = publish_frames("q", b"body")
    client.send_bytes(methods.encode_frame(0, methods.ConnectionClose(200)) + late)
    assert client.take_methods() == [methods.ConnectionCloseOk()]
    assert f"ignored {len(late)} bytes that came after it was closed" in caplog.text


# STOMP


@pytest.mark.parametrize(
    "last", [b"DISCONNECT\nreceipt:1\n\n\0", b"DISCONNECT\n\n\0", b"SEND\ndestination:/exchange/missing/key\n\n\0"]
)
def test_bytes_behind_the_end_of_a_stomp_session(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture, last: bytes
) -> None:
    client = StompClient(broker).connect()
    late = b"SEND\ndestination:/queue/q\n\nlate\0"
    client.send_bytes(last + late)
    assert client.closed
    assert f"ignored {len(late)} bytes that came after its end" in caplog.text
    assert "q" not in broker.vhost.queues


@pytest.mark.parametrize("behind", [b"", b"\n", b"\r\n\n"])
def test_line_ends_there_are_nothing_to_tell_of(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture, behind: bytes
) -> None:
    client = StompClient(broker).connect()
    client.send_bytes(b"DISCONNECT\nreceipt:1\n\n\0" + behind)
    assert client.closed
    assert "ignored" not in caplog.text


# MQTT


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_packets_behind_disconnect(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture, level: int) -> None:
    client = MqttClient(broker, level)
    client.connect()
    client.send_bytes(encode(Disconnect(), level) + b"\xc0\0\xc0\0")
    assert client.closed
    assert "ignored 4 bytes that came after its end" in caplog.text
