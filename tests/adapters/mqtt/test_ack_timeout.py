"""MQTT clients that don't acknowledge, and named queues beside AMQP consumers (spec C.5; core.queues.ack_timeout)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import only
from warren.adapters.mqtt.ack_holder import MqttAckHolder
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Disconnect, PubAck, Publish
from warren.core.queues.ack_timeout import INTERVAL_MAX_MS
from warren.core.settings import TIMEOUT_DEFAULT_MS


def wait(simulated: SimulatedBroker, milliseconds: int) -> None:
    """Let time pass in steps, as a gateway does."""
    while milliseconds > 0:
        simulated.advance(min(INTERVAL_MAX_MS, milliseconds))
        milliseconds -= INTERVAL_MAX_MS


def test_it_is_disconnected_and_the_message_goes_to_another(
    client: Connected, level: int, simulated: SimulatedBroker
) -> None:
    queue = core_clients.queue(simulated, "work", durable=True)
    stuck = client("stuck", level)
    stuck.subscribe("$queue/work", qos=1)
    core_clients.publish(simulated, "", b"job", core_clients.persistent(), key="work")
    simulated.settle()
    assert [each.payload for each in stuck.messages()] == [b"job"]
    wait(simulated, TIMEOUT_DEFAULT_MS - INTERVAL_MAX_MS)
    assert not stuck.closed
    wait(simulated, 3 * INTERVAL_MAX_MS)
    assert stuck.closed
    if level == versions.V5:
        assert only(Disconnect, stuck.packets()).reason_code == reason_codes.IMPLEMENTATION_SPECIFIC_ERROR
    assert (queue.ready_count, queue.unacked_count) == (1, 0)
    amqp = simulated.connect()
    amqp.consume("work", "worker")
    assert amqp.take_bodies() == [b"job"]


def test_who_acknowledges_may_take_the_time_it_takes(client: Connected, simulated: SimulatedBroker) -> None:
    steady = client("steady", keep_alive_s=0)
    steady.subscribe("t", qos=1)
    publisher = client("p", keep_alive_s=0)
    publisher.publish("t", b"0", 1)
    for number in range(1, 60):
        (message,) = steady.messages()
        wait(simulated, INTERVAL_MAX_MS)
        steady.send(PubAck(message.packet_id))
        publisher.publish("t", b"%d" % number, 1)
    assert not steady.closed


def test_a_reconnect_starts_the_time_over(client: Connected, simulated: SimulatedBroker) -> None:
    stuck = client("stuck", clean_start=False, session_expiry_interval=100_000)
    stuck.subscribe("t", qos=1)
    client("p").publish("t", b"x", 1)
    wait(simulated, TIMEOUT_DEFAULT_MS * 2 // 3)
    stuck.lose()
    stuck = client("stuck", clean_start=False, session_expiry_interval=100_000)
    assert any(isinstance(each, Publish) for each in stuck.after_connack)
    wait(simulated, TIMEOUT_DEFAULT_MS * 2 // 3)
    assert not stuck.closed
    wait(simulated, TIMEOUT_DEFAULT_MS)
    assert stuck.closed


def test_unacknowledged_work_of_a_lost_device_goes_to_an_amqp_worker(
    client: Connected, level: int, simulated: SimulatedBroker
) -> None:
    queue = core_clients.queue(simulated, "work", durable=True)
    device = client("device", level)
    device.subscribe("$queue/work", qos=1)
    amqp = simulated.connect()
    amqp.consume("work", "worker")
    for number in range(6):
        core_clients.publish(simulated, "", b"%d" % number, core_clients.persistent(), key="work")
    simulated.settle()
    of_device = device.messages()
    of_worker = amqp.take_bodies()
    assert sorted([each.payload for each in of_device] + of_worker) == [b"%d" % number for number in range(6)]
    assert len(of_device) == 3, "they take turns"
    device.send(PubAck(of_device[0].packet_id))
    device.lose()
    assert amqp.take_bodies() == [each.payload for each in of_device[1:]]
    assert queue.ready_count == 0


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
def test_what_belongs_to_no_queue_any_more_is_not_waited_for() -> None:
    def outgoing(number: int, queue: str | None, message: str | None) -> SimpleNamespace:
        return SimpleNamespace(number=number, queue=queue, message=message, source=f"s{number}")

    sent = [outgoing(1, "q", "m"), outgoing(2, None, "m"), outgoing(3, "q", None), outgoing(4, None, None)]
    session = SimpleNamespace(outgoing={each.number + 10: each for each in sent}, sent_number=9)
    subscriptions = SimpleNamespace(session=session, consumer_of=lambda source: f"consumer of {source}")
    said: list[tuple[int, str]] = []
    holder = MqttAckHolder(cast("Any", subscriptions), lambda code, text: said.append((code, text)))
    unacked: object = holder.unacked
    assert unacked == {1: ("q", "m", "consumer of s1")}
    assert holder.delivery_tag == 9
    consumer = SimpleNamespace(queue=SimpleNamespace(description="queue 'q'"))
    holder.acknowledgement_timed_out(cast("Any", consumer), 500)
    assert said == [
        (
            reason_codes.IMPLEMENTATION_SPECIFIC_ERROR,
            "a message from queue 'q' was not acknowledged within 500 ms",
        )
    ]
