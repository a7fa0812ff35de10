"""A device that `warren ctl add_device` has added: what it may do by MQTT, and what by no protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from tests.mqtt.test_mosquitto_users import NOT_AUTHORIZED, Client
from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess, warren_process
from warren.adapters.mqtt.codec.packets import PubAck, Publish, SubAck, Subscribe, Subscription


@pytest.fixture(scope="module")
def broker() -> Iterator[WarrenProcess]:
    listen = ("mqtt=127.0.0.1:0", "amqp=127.0.0.1:0")
    with warren_process(listen=listen, options=("--set", "refused_login_delay_s=0")) as broker:
        ctl(broker.data_directory, "add_device", "boiler", "secret")
        ctl(broker.data_directory, "add_device", "meter", "secret", "--topics", "meters/+", "--topics", "weather/#")
        yield broker


def device(broker: WarrenProcess, client_id: str, name: str) -> Client:
    return Client(broker.addresses["mqtt"][1], client_id, name, "secret")


def publishes(client: Client, topic: str) -> bool:
    client.send(Publish(topic, b"x", 1, 1))
    while isinstance(answer := client.next(), Publish):
        pass
    assert isinstance(answer, PubAck)
    return answer.reason_code != NOT_AUTHORIZED


def subscribes(client: Client, filter: str) -> bool:
    client.send(Subscribe(1, (Subscription(filter, 0),)))
    answer = client.next()
    assert isinstance(answer, SubAck)
    return answer.reason_codes[0] != NOT_AUTHORIZED


def test_its_own_topics_and_no_others(broker: WarrenProcess) -> None:
    with device(broker, "boiler", "boiler") as client:
        for topic in ("devices/boiler", "devices/boiler/state", "devices/boiler/#", "devices/boiler/+/set"):
            assert subscribes(client, topic), topic
        for topic in ("devices/other/state", "devices/#", "#", "devices/boilers/state", "devices/+/state"):
            assert not subscribes(client, topic), topic
        assert publishes(client, "devices/boiler/state")
        assert not publishes(client, "devices/other/state")
        assert not publishes(client, "weather/rain")


def test_topics_that_were_named(broker: WarrenProcess) -> None:
    with device(broker, "meter", "meter") as client:
        assert subscribes(client, "weather/#")
        assert subscribes(client, "meters/7")
        assert not subscribes(client, "devices/meter/#")
        assert publishes(client, "meters/7")
        assert not publishes(client, "meters/7/8")


@pytest.mark.parametrize("client_id", ["other", "boilers", "boiler-2", "meter"])
def test_a_session_of_another_name_gets_nothing(broker: WarrenProcess, client_id: str) -> None:
    with device(broker, client_id, "boiler") as client:
        assert not subscribes(client, "devices/boiler/state")


def test_queues_are_out_of_reach(broker: WarrenProcess) -> None:
    parameters = pika.ConnectionParameters(
        "127.0.0.1", broker.amqp_port, credentials=pika.PlainCredentials("boiler", "secret")
    )
    with pika.BlockingConnection(parameters) as connection:
        for method, name in (
            ("queue_declare", "mine"),
            ("queue_declare", "mqtt-subscription-meter"),
            ("exchange_declare", "mine"),
        ):
            with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
                getattr(connection.channel(), method)(name)
