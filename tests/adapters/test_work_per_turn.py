"""A turn is bounded by work: however small the commands are that one read brings, each connection has so many of them
done, and everybody else has a turn before it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_transport import SimulatedTransport
from tests.support.simulated_websocket import WebSocketClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.session.ration import COMMANDS_PER_TURN, QUICK_PER_COMMAND
from warren.adapters.session.read_gate import RATION
from warren.adapters.websocket.http_stage import EVENT_COMMANDS

READ_BYTES = 256 * 1024
"""What the hub reads at a time."""

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
QOS_OK_BYTES = 12


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """In memory."""
    simulated = SimulatedBroker()
    yield simulated
    simulated.close()


def turns(broker: SimulatedBroker, transport: SimulatedTransport, unit_bytes: int) -> list[int]:
    """Answers of so many bytes in each turn, until the broker has come to rest."""
    found = []
    while True:
        more = broker.broker.end_turn()
        found.append(len(transport.take()) // unit_bytes)
        if not more:
            return found


def test_pings_of_two_bytes(broker: SimulatedBroker) -> None:
    client, other = MqttClient(broker), MqttClient(broker)
    client.connect()
    other.connect("other")
    count = READ_BYTES // len(PINGREQ)
    client.transport.receive(PINGREQ * count)
    assert client.transport.paused, "nothing more is read meanwhile"
    other.transport.receive(PINGREQ)
    answered = turns(broker, client.transport, len(PINGRESP))
    assert other.transport.take() == PINGRESP
    assert sum(answered) == count
    assert max(answered) <= COMMANDS_PER_TURN
    assert not client.transport.paused


def test_everybody_else_has_a_turn_in_between(broker: SimulatedBroker) -> None:
    busy = [MqttClient(broker) for _ in range(10)]
    for number, client in enumerate(busy):
        client.connect(str(number))
        client.transport.receive(PINGREQ * 10 * COMMANDS_PER_TURN)
    broker.broker.end_turn()
    for client in busy:
        client.transport.take()
    while True:
        more = broker.broker.end_turn()
        assert sum(len(client.transport.take()) for client in busy) <= COMMANDS_PER_TURN * len(PINGRESP)
        if not more:
            return


def test_packets_that_are_known_by_heart(broker: SimulatedBroker) -> None:
    client, reader = MqttClient(broker, versions.V3_1_1), MqttClient(broker, versions.V3_1_1)
    client.connect()
    reader.connect("reader")
    reader.subscribe("a")
    packet = encode(Publish("a", b"x"), versions.V3_1_1)
    client.transport.receive(packet)
    broker.settle()
    reader.transport.take()
    count = READ_BYTES // len(packet)
    client.transport.receive(packet * count)
    arrived = turns(broker, reader.transport, len(packet))
    assert sum(arrived) == count
    slack = 32 * 1024 // len(packet)
    assert max(arrived) <= COMMANDS_PER_TURN * QUICK_PER_COMMAND + slack
    assert len(arrived) > 2


def test_a_long_packet_behind_many_small_ones(broker: SimulatedBroker) -> None:
    client, reader = MqttClient(broker), MqttClient(broker)
    client.connect()
    reader.connect("reader")
    reader.subscribe("long")
    long = encode(Publish("long", b"y" * 150_000), versions.V5)
    data = PINGREQ * 2000 + long
    for at in range(0, len(data), 50_000):
        client.transport.receive(data[at : at + 50_000])
    broker.settle()
    assert client.transport.take().count(PINGRESP) == 2000
    assert [len(each.payload) for each in reader.messages()] == [150_000]


def test_amqp_commands(broker: SimulatedBroker) -> None:
    client = broker.connect()
    other = broker.connect()
    for each in (client, other):
        each.transport.take()
    qos = client.connection.encode_frame(1, methods.BasicQos(0, 1, False))
    count = 5000
    client.transport.receive(qos * count)
    assert client.connection.read_gate.is_closed_for(RATION)
    other.transport.receive(qos)
    answered = turns(broker, client.transport, QOS_OK_BYTES)
    assert len(other.transport.take()) == QOS_OK_BYTES
    assert sum(answered) == count
    assert max(answered) <= COMMANDS_PER_TURN
    assert not client.transport.paused


def test_heartbeats_of_eight_bytes(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.transport.receive(bytes((8, 0, 0, 0, 0, 0, 0, 0xCE)) * (READ_BYTES // 8))
    number = 0
    while broker.broker.end_turn():
        number += 1
    assert READ_BYTES // 8 // COMMANDS_PER_TURN - 2 <= number <= READ_BYTES // 8 // COMMANDS_PER_TURN + 2
    assert not client.transport.paused


def test_frames_that_an_alarm_held_back(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    broker.broker.alarms.set("disk", True)
    client.publish("q", b"")
    qos = client.connection.encode_frame(1, methods.BasicQos(0, 1, False))
    client.transport.receive(qos * 3000)
    broker.settle()
    client.transport.take()
    broker.broker.alarms.set("disk", False)
    answered = turns(broker, client.transport, QOS_OK_BYTES)
    assert max(answered) <= COMMANDS_PER_TURN + 2
    assert 3000 <= sum(answered) <= 3004, "connection.unblocked among them"
    assert not client.connection.held.active


def test_stomp_frames(broker: SimulatedBroker) -> None:
    client, other = StompClient(broker), StompClient(broker)
    for each in (client, other):
        each.connect()
        each.transport.take()
    pair = b"BEGIN\ntransaction:a\nreceipt:1\n\n\0ABORT\ntransaction:a\n\n\0"
    answer = b"RECEIPT\nreceipt-id:1\n\n\0"
    count = 4000
    client.transport.receive(pair * count)
    assert client.transport.paused
    other.transport.receive(pair)
    answered = turns(broker, client.transport, len(answer) + 1)
    assert other.transport.take().startswith(answer)
    assert sum(answered) == count
    assert max(answered) <= COMMANDS_PER_TURN
    assert not client.transport.paused


def test_stomp_frames_that_an_alarm_held_back(broker: SimulatedBroker) -> None:
    client = StompClient(broker)
    client.connect()
    client.transport.take()
    broker.broker.alarms.set("disk", True)
    client.transport.receive(
        b"SEND\ndestination:/queue/a\n\n\0" + b"BEGIN\ntransaction:a\n\n\0ABORT\ntransaction:a\n\n\0" * 900
    )
    broker.settle()
    broker.broker.alarms.set("disk", False)
    number = 0
    while broker.broker.end_turn():
        number += 1
    assert number >= 1801 // COMMANDS_PER_TURN - 1
    assert not client.session.held_back
    assert broker.queue("a").ready_count == 1
    assert not client.transport.paused


def test_mqtt_in_a_websocket(broker: SimulatedBroker) -> None:
    client = WebSocketClient(broker)
    client.mqtt()
    client.transport.receive(frame(0x82, PINGREQ) * 10_000)
    assert client.transport.paused
    found = 0
    longest = 0
    for _ in range(2):
        while True:
            more = broker.broker.end_turn()
            sent = len(client.binary()) // len(PINGRESP)
            longest = max(longest, sent)
            found += sent
            if not more:
                break
        broker.broker.advance(broker.broker.now_ms)
    assert found == 10_000
    assert longest <= COMMANDS_PER_TURN
    assert not client.transport.paused


def test_http_requests_that_come_together(broker: SimulatedBroker) -> None:
    client = WebSocketClient(broker)
    request = b"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    client.transport.receive(request * 1000)
    first = client.transport
    broker.broker.end_turn()
    answered = first.take().count(b"HTTP/1.1 404")
    assert 0 < answered <= COMMANDS_PER_TURN // EVENT_COMMANDS
    broker.settle()
    assert answered + first.take().count(b"HTTP/1.1 404") == 1000


def test_who_leaves_while_it_waits(broker: SimulatedBroker) -> None:
    client = MqttClient(broker)
    client.connect()
    client.transport.receive(PINGREQ * 5000)
    assert client.transport.paused
    client.transport.lose()
    broker.settle()
    assert not broker.broker.chores
    assert not broker.broker.sessions


def test_a_bug_met_on_the_way_ends_that_connection(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = WebSocketClient(broker)
    client.transport.receive(b"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
    monkeypatch.setattr(client.transport.session, "_response", None)
    broker.settle()
    assert client.transport.aborted
    assert "internal error; closing the connection" in caplog.text
    assert not broker.broker.chores
