"""What each way of closing a connection does: the reason that the peer is told, and whether its will is published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect, Disconnect, PingReq, PingResp, Publish, Will
from warren.core.declaring.queues import remove_queue

Close = Callable[[MqttClient], None]


def send_unheard(dying: MqttClient, data: bytes) -> None:
    """Send, and leave the answers for later."""
    dying.transport.receive(data)
    dying.simulated.settle()


def says(code: int) -> Close:
    def close(dying: MqttClient) -> None:
        send_unheard(dying, encode(Disconnect(code), dying.level))

    return close


def keeps_silent(dying: MqttClient) -> None:
    dying.simulated.advance(15_000)


def breaks_the_protocol(dying: MqttClient) -> None:
    send_unheard(dying, encode(Connect("dying", dying.level), dying.level))


def sends_nonsense(dying: MqttClient) -> None:
    send_unheard(dying, b"\x00\x00")


def comes_again(dying: MqttClient) -> None:
    MqttClient(dying.simulated, dying.level).connect("dying")


def comes_again_for_its_session(dying: MqttClient) -> None:
    MqttClient(dying.simulated, dying.level).connect("dying", clean_start=False)


def is_thrown_out(dying: MqttClient) -> None:
    dying.connection.force_close("by an operator")
    dying.simulated.settle()


def is_shut_down(dying: MqttClient) -> None:
    dying.connection.shut_down("the broker stops")
    dying.simulated.settle()


def loses_its_queue(dying: MqttClient) -> None:
    vhost = dying.simulated.vhost
    remove_queue(vhost, vhost.queue("mqtt-subscription-dying"))
    dying.simulated.settle()


WAYS: list[tuple[Close, int | None, bool]] = [
    # how, what an MQTT 5 client is told (None: nothing, it said goodbye or is gone), whether the will is published
    (says(0x00), None, False),
    (MqttClient.lose, None, True),
    (keeps_silent, reason_codes.KEEP_ALIVE_TIMEOUT, True),
    (breaks_the_protocol, reason_codes.PROTOCOL_ERROR, True),
    (sends_nonsense, reason_codes.MALFORMED_PACKET, True),
    (comes_again, reason_codes.SESSION_TAKEN_OVER, True),
    (comes_again_for_its_session, reason_codes.SESSION_TAKEN_OVER, True),
    (is_thrown_out, reason_codes.ADMINISTRATIVE_ACTION, True),
    (is_shut_down, reason_codes.SERVER_SHUTTING_DOWN, True),
    (loses_its_queue, reason_codes.ADMINISTRATIVE_ACTION, True),
]

WAYS_OF_MQTT_5: list[tuple[Close, int | None, bool]] = [
    (says(code), None, True) for code in (0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9A))
]


def name_of(way: object) -> str:
    return getattr(way, "__name__", str(way))


def check(client: Connected, level: int, close: Close, code: int | None, published: bool) -> None:
    watcher = client("watcher")
    watcher.subscribe("gone", qos=2)
    dying = client("dying", level, keep_alive_s=10, will=Will("gone", b"will", 2, True))
    dying.subscribe("own")
    close(dying)
    assert dying.closed
    assert [each.reason_code for each in dying.packets() if isinstance(each, Disconnect)] == (
        [code] if code is not None and level == versions.V5 else []
    )
    assert watcher.take() == ([b"will"] if published else [])
    assert len(watcher.simulated.mqtt.of(watcher.simulated.vhost).retained) == published


@pytest.mark.parametrize(("close", "code", "published"), WAYS, ids=name_of)
def test_each_way(client: Connected, level: int, close: Close, code: int | None, published: bool) -> None:
    check(client, level, close, code, published)


@pytest.mark.parametrize(("close", "code", "published"), WAYS_OF_MQTT_5)
def test_each_reason_that_a_client_may_give(client: Connected, close: Close, code: int | None, published: bool) -> None:
    check(client, versions.V5, close, code, published)


@pytest.mark.parametrize("clean_start", [True, False])
@pytest.mark.parametrize("delay_s", [0, 30])
def test_takeover_and_the_will_s_delay(
    client: Connected, simulated: SimulatedBroker, clean_start: bool, delay_s: int
) -> None:
    watcher = client("watcher")
    watcher.subscribe("gone")
    more: dict[str, Any] = {"session_expiry_interval": 60}
    client("dying", will=Will("gone", b"will", properties={"will_delay_interval": delay_s}), **more)
    client("dying", clean_start=clean_start, **more)
    at_once = clean_start or not delay_s
    assert watcher.take() == ([b"will"] if at_once else [])
    simulated.advance(60_000)
    assert watcher.take() == []


def test_the_delay_after_a_goodbye_that_asks_for_the_will(client: Connected, simulated: SimulatedBroker) -> None:
    watcher = client("watcher")
    watcher.subscribe("gone")
    will = Will("gone", b"will", properties={"will_delay_interval": 10})
    client("dying", will=will, session_expiry_interval=60).disconnect(0x04)
    assert watcher.take() == []
    simulated.advance(10_000)
    assert watcher.take() == [b"will"]


def test_a_goodbye_that_ends_the_session_ends_the_delay(client: Connected) -> None:
    watcher = client("watcher")
    watcher.subscribe("gone")
    will = Will("gone", b"will", properties={"will_delay_interval": 10})
    client("dying", will=will, session_expiry_interval=60).disconnect(0x04, session_expiry_interval=0)
    assert watcher.take() == [b"will"]


@pytest.mark.parametrize("keep_alive_s", [1, 10, 65_535])
def test_keep_alive_ends_after_one_and_a_half_intervals(
    client: Connected, level: int, simulated: SimulatedBroker, keep_alive_s: int
) -> None:
    made = client("c", level, keep_alive_s=keep_alive_s)
    limit_ms = keep_alive_s * 1500
    for _ in range(3):
        simulated.advance(limit_ms - 1)
        assert not made.closed
        assert [type(each) for each in made.send(PingReq())] == [PingResp]
    simulated.advance(limit_ms - 1)
    assert not made.closed
    simulated.advance(1)
    assert made.closed
    assert made.transport.aborted, "reset, so that what it sends next isn't lost without a word"
    answers = made.packets()
    assert [each.reason_code for each in answers if isinstance(each, Disconnect)] == (
        [reason_codes.KEEP_ALIVE_TIMEOUT] if level == versions.V5 else []
    )


def test_what_the_broker_sends_does_not_keep_a_connection_alive(client: Connected, simulated: SimulatedBroker) -> None:
    made, publisher = client("c", keep_alive_s=10), client("p")
    made.subscribe("t")
    for _ in range(3):
        simulated.advance(4_999)
        publisher.publish("t", b"x")
    assert not made.closed
    simulated.advance(4_999)
    assert made.closed


def test_without_keep_alive_a_connection_may_be_silent(
    client: Connected, level: int, simulated: SimulatedBroker
) -> None:
    made = client("c", level)
    simulated.advance(1_000_000_000)
    assert not made.closed


def test_what_comes_behind_a_goodbye_is_not_read(client: Connected, level: int) -> None:
    watcher, leaving = client("w"), client("l", level)
    watcher.subscribe("t")
    leaving.send(Publish("t", b"before"), Disconnect(), Publish("t", b"behind"))
    assert watcher.take() == [b"before"]


def test_takeover_while_messages_are_on_their_way(client: Connected) -> None:
    more: dict[str, Any] = {"session_expiry_interval": 60}
    first, publisher = client("s", **more), client("p")
    first.subscribe("t", qos=2)
    for number in range(5):
        publisher.publish_fully("t", b"%d" % number, 2)
    sent = first.messages()
    second = client("s", clean_start=False, **more)
    again = [each for each in second.after_connack if isinstance(each, Publish)]
    assert [(each.packet_id, each.payload, each.duplicate) for each in again] == [
        (each.packet_id, each.payload, True) for each in sent
    ]
    first.transport.receive(b"\x50\x02\x00\x01")
    assert len(second.session.outgoing) == 5, "the connection that lost its session acts on it no more"


def test_a_session_that_loses_its_queue_ends_the_delay(client: Connected) -> None:
    watcher = client("watcher")
    watcher.subscribe("gone")
    will = Will("gone", b"will", properties={"will_delay_interval": 10})
    dying = client("dying", will=will, session_expiry_interval=60)
    dying.subscribe("t")
    loses_its_queue(dying)
    assert dying.closed
    assert watcher.take() == [b"will"], "the session is over, so there is nothing to wait for (MQTT-3.1.3-9)"
    dying.simulated.advance(60_000)
    assert watcher.take() == []
