"""Exchanges and bindings that lead nowhere, dead letters without a way, and policies that do nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from pika.exceptions import UnroutableError

from tests.gateway.doctor.examined import Examined, publish
from tests.mqtt.paho_client import paho_client


def test_messages_that_go_nowhere(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("news", "topic", durable=True)
        channel.queue_declare("sports", durable=True)
        channel.queue_bind("sports", "news", "sports.#")
        for key in ("sports.ball", "politics", "politics"):
            channel.basic_publish("news", key, b"")
        channel.basic_publish("", "no such queue", b"")
        assert examined.places("unroutable") == [("exchange", "amq.default"), ("exchange", "news")]
        said = examined.details("unroutable").splitlines()
        assert said[0] == "1 of 1 message named a queue that isn't there"
        assert said[1] == "2 of 3 messages found no queue; it has 1 binding"


def test_in_a_transaction_too(examined: Examined) -> None:
    with examined.connection() as connection:
        channel = connection.channel()
        channel.tx_select()
        channel.basic_publish("amq.direct", "nobody", b"")
        channel.tx_commit()
        assert examined.places("unroutable") == [("exchange", "amq.direct")]


def test_messages_that_arrive_or_come_back(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("rest", "fanout", durable=True)
        channel.exchange_declare("news", "topic", durable=True, arguments={"alternate-exchange": "rest"})
        channel.queue_declare("everything", durable=True)
        channel.queue_bind("everything", "rest")
        channel.basic_publish("news", "politics", b"")
        with suppress(UnroutableError):
            channel.basic_publish("", "no such queue", b"", mandatory=True)
        found = examined.findings()
        assert not {"unroutable", "no-alternate-exchange"} & set(found)


def test_topics_that_nobody_subscribes_to_are_normal_in_mqtt(examined: Examined) -> None:
    with paho_client(examined.broker.addresses["mqtt"][1], "sensor", login=examined.mqtt_login) as sensor:
        for number in range(5):
            sensor.publish("heat", b"%d" % number, qos=1)
        assert examined.places("unroutable") == []


def test_an_alternate_exchange_that_is_not_there(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("news", "topic", durable=True, arguments={"alternate-exchange": "rest"})
    assert examined.places("no-alternate-exchange") == [("exchange", "news")]
    assert "exchange_declare('rest'" in examined.findings()["no-alternate-exchange"]["places"][0]["remedy"]


def test_a_dead_letter_exchange_that_is_not_there(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True, arguments={"x-dead-letter-exchange": "graveyard"})
        assert examined.places("no-dead-letter-exchange") == [("queue", "orders")]
        assert examined.findings()["no-dead-letter-exchange"]["severity"] == "warning"
        publish(channel, "orders", 1)
        tag = channel.basic_get("orders")[0].delivery_tag
        channel.basic_reject(tag, requeue=False)
        channel.queue_declare("orders", passive=True)
        found = examined.findings()["no-dead-letter-exchange"]
        assert (found["severity"], found["places"][0]["detail"]) == (
            "error",
            "dead letter exchange 'graveyard'; 1 dead letter lost so far",
        )


def test_a_dead_letter_exchange_of_a_policy(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
    examined.ctl("set_policy", "-p", examined.vhost, "dead", "^orders$", '{"dead-letter-exchange": "graveyard"}')
    assert examined.places("no-dead-letter-exchange") == [("queue", "orders")]


@pytest.mark.parametrize("way", ["no binding", "no queue", "another key"])
def test_dead_letters_that_go_nowhere(examined: Examined, way: str) -> None:
    arguments = {
        "x-dead-letter-exchange": "" if way == "no queue" else "graveyard",
        "x-dead-letter-routing-key": "dead",
    }
    with examined.channel() as channel:
        channel.exchange_declare("graveyard", "direct", durable=True)
        channel.queue_declare("bodies", durable=True)
        if way == "another key":
            channel.queue_bind("bodies", "graveyard", "alive")
        channel.queue_declare("orders", durable=True, arguments={**arguments, "x-message-ttl": 0})
        # With another key only a letter that is lost proves that nothing is bound for it.
        assert bool(examined.places("dead-letters-lost")) is (way != "another key")
        publish(channel, "orders", 1)
        assert examined.places("dead-letters-lost") == [("queue", "orders")]
        assert "1 dead letter lost so far" in examined.details("dead-letters-lost")


def test_dead_letters_that_arrive(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("graveyard", "fanout", durable=True)
        channel.queue_declare("bodies", durable=True)
        channel.queue_bind("bodies", "graveyard")
        channel.queue_declare("orders", durable=True, arguments={"x-dead-letter-exchange": "graveyard"})
        waits = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders", "x-message-ttl": 0}
        channel.queue_declare("retry", durable=True, arguments=waits)
        publish(channel, "retry", 1)
        found = examined.findings()
        assert not {"dead-letters-lost", "no-dead-letter-exchange"} & set(found)


def test_a_durable_queue_behind_an_exchange_that_is_not(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("passing", "fanout", durable=False)
        channel.queue_declare("orders", durable=True)
        channel.queue_bind("orders", "passing")
        assert examined.places("transient-binding") == [("queue", "orders")]


def test_bindings_that_outlive_a_restart_or_needn_t(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.exchange_declare("passing", "fanout", durable=False)
        channel.exchange_declare("staying", "fanout", durable=True)
        channel.queue_declare("orders", durable=True)
        channel.queue_declare("mine", exclusive=True)
        channel.queue_bind("orders", "staying")
        channel.queue_bind("mine", "passing")
        channel.queue_bind("mine", "staying")
        assert examined.places("transient-binding") == []


def test_policies(examined: Examined) -> None:
    def set_policy(name: str, pattern: str, definition: str, priority: int = 0) -> None:
        words = ("--priority", str(priority), "--apply-to", "queues", name, pattern, definition)
        examined.ctl("set_policy", "-p", examined.vhost, *words)

    with examined.channel() as channel:
        channel.queue_declare("orders.eu", durable=True)
        channel.queue_declare("orders.us", durable=True)
    set_policy("all", "^orders", '{"max-length": 1000}')
    set_policy("eu", "eu$", '{"message-ttl": 60000}', 1)
    found = examined.findings()
    assert not {"policy-without-match", "shadowed-policy"} & set(found)
    set_policy("slip", "^ordres", '{"max-length": 1000}')
    set_policy("too late", "us$", '{"max-length": 10}', -1)
    assert examined.places("policy-without-match") == [("policy", "slip")]
    assert examined.places("shadowed-policy") == [("policy", "too late")]
    assert "'all'" in examined.details("shadowed-policy")
