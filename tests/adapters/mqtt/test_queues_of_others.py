"""`$queue/NAME` and other queues that can't be had for now: a client is told, or gets on without, never locked out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Publish, SubAck, Subscription
from warren.adapters.mqtt.subscriptions import TRIED_AGAIN_MS
from warren.core.declaring.queues import remove_queue

HOUR: dict[str, Any] = {"clean_start": False, "session_expiry_interval": 3600}


def taken_alone(broker: SimulatedBroker, name: str) -> SimulatedClient:
    """A client of AMQP that consumes a queue as the only one."""
    made = broker.connect()
    made.send(1, methods.BasicConsume(queue=name, exclusive=True))
    made.expect(methods.BasicConsumeOk, 1)
    return made


def give(broker: SimulatedBroker, queue: str, body: bytes) -> None:
    publisher = broker.connect()
    publisher.publish(queue, body)
    publisher.close()


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_a_queue_in_exclusive_use_is_refused(client: Connected, simulated: SimulatedBroker, level: int) -> None:
    core_clients.queue(simulated, "work")
    alone = taken_alone(simulated, "work")
    made = client("c", level)
    (answer,) = made.subscribe("a", "$queue/work", "b")
    assert isinstance(answer, SubAck)
    refused = reason_codes.NOT_AUTHORIZED if level == versions.V5 else reason_codes.UNSPECIFIED_ERROR
    assert answer.reason_codes == (0, refused, 0)
    if level == versions.V5:
        assert "exclusive" in answer.properties["reason_string"]
    assert set(made.session.subscriptions) == {"a", "b"}
    assert len(simulated.queue("work").consumers) == 1
    alone.close()
    assert only(SubAck, made.subscribe("$queue/work")).reason_codes == (0,)
    give(simulated, "work", b"now")
    assert made.take() == [b"now"]


def test_a_refused_one_is_not_in_the_way_of_the_next_connection(durable: SimulatedBroker) -> None:
    core_clients.queue(durable, "work", durable=True)
    taken_alone(durable, "work")
    for _ in range(2):
        made = MqttClient(durable)
        assert made.connect("c", **HOUR).reason_code == 0
        made.subscribe("$queue/work", qos=1)
        assert not made.closed
        made.lose()
    durable.restart()
    made = MqttClient(durable)
    assert made.connect("c", **HOUR).session_present
    assert not made.closed
    assert not made.session.subscriptions


def test_one_that_comes_back_goes_on_without_and_gets_it_later(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    core_clients.queue(simulated, "work")
    made = client("c", **HOUR)
    made.subscribe("$queue/work", "own", qos=1)
    made.lose()
    alone = taken_alone(simulated, "work")
    made = client("c", **HOUR)
    assert not made.closed
    assert [packet.payload for packet in made.publish("own", b"own", 0) if isinstance(packet, Publish)] == [b"own"]
    lines = [record.getMessage() for record in caplog.records if "no messages come by" in record.getMessage()]
    assert len(lines) == 1
    assert "'$queue/work'" in lines[0]
    assert "exclusive" in lines[0]
    simulated.advance(3 * TRIED_AGAIN_MS)
    assert sum("no messages come by" in record.getMessage() for record in caplog.records) == 1, "said once"
    alone.close()
    give(simulated, "work", b"waits")
    assert made.take() == []
    simulated.advance(TRIED_AGAIN_MS)
    assert made.take() == [b"waits"]
    timers = simulated.timers
    simulated.advance(TRIED_AGAIN_MS)
    assert simulated.timers <= timers


def test_a_queue_that_is_gone_may_come_again(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    core_clients.queue(simulated, "work")
    made = client("c", **HOUR)
    made.subscribe("$queue/work", qos=1)
    made.lose()
    remove_queue(simulated.vhost, simulated.queue("work"))
    made = client("c", **HOUR)
    assert "there is no queue 'work'" in caplog.text
    core_clients.queue(simulated, "work")
    give(simulated, "work", b"again")
    simulated.advance(TRIED_AGAIN_MS)
    assert made.take() == [b"again"]


def test_nothing_is_tried_for_who_has_left_or_doesnt_want_it_any_more(
    client: Connected, simulated: SimulatedBroker
) -> None:
    core_clients.queue(simulated, "work")
    for _ in range(2):
        made = client("c", **HOUR)
        made.subscribe("$queue/work", qos=1)
        made.lose()
    alone = taken_alone(simulated, "work")
    made = client("c", **HOUR)
    made.unsubscribe("$queue/work")
    alone.close()
    simulated.advance(TRIED_AGAIN_MS)
    assert not simulated.queue("work").consumers
    made.subscribe("$queue/work", qos=1)
    made.lose()
    timers = simulated.timers
    alone = taken_alone(simulated, "work")
    client("c", **HOUR).lose()
    alone.close()
    assert simulated.timers <= timers
    simulated.advance(TRIED_AGAIN_MS)
    assert not simulated.queue("work").consumers


def test_a_shared_queue_that_an_amqp_client_has_alone(client: Connected, simulated: SimulatedBroker) -> None:
    first = client("first")
    first.subscribe("$share/g/t", qos=1)
    (name,) = [name for name in simulated.vhost.queues if name.startswith("mqtt-shared")]
    first.running.subscriptions.leave_queue("$share/g/t")
    taken_alone(simulated, name)
    second = client("second")
    (answer,) = second.subscribe("$share/g/t", qos=1)
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,)
    assert not second.session.subscriptions
    assert not second.closed
    first.unsubscribe("$share/g/t")
    assert name not in simulated.vhost.queues, "the refused one doesn't count as a member"


def test_the_sessions_own_queue_that_an_amqp_client_has_alone(client: Connected, simulated: SimulatedBroker) -> None:
    made = client("c", **HOUR)
    made.subscribe("t", qos=1)
    made.lose()
    alone = taken_alone(simulated, "mqtt-subscription-c")
    made = client("c", **HOUR)
    assert not made.closed
    alone.close()
    made.publish("t", b"x", 1)
    simulated.advance(TRIED_AGAIN_MS)
    assert made.take() == [b"x"]


def test_a_replaced_subscription_keeps_its_options_when_the_new_one_is_refused(
    client: Connected, simulated: SimulatedBroker
) -> None:
    core_clients.queue(simulated, "work")
    made = client("c", **HOUR)
    made.subscribe(Subscription("$queue/work", 1), identifier=1)
    made.lose()
    taken_alone(simulated, "work")
    made = client("c", **HOUR)
    answer = only(SubAck, made.subscribe(Subscription("$queue/work", 0), identifier=2))
    assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,)
    kept = made.session.subscriptions["$queue/work"]
    assert (kept.qos, kept.identifier) == (1, 1)
