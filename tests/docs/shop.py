"""A small shop in a broker, for pictures: exchanges, queues, users, clients of two protocols, and trade for a while."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt
import pika
from paho.mqtt.enums import CallbackAPIVersion
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from tests.browser.management.operating import Api, part
from tests.support.warren_process import WarrenProcess

TRADE_ROUNDS = 45

LOOKED_AT = ("queues/%2F/orders", "exchanges/%2F/shop", "vhosts/%2F")
"""Whose charts have a past: the broker samples what somebody looks at."""

SAMPLES = "?lengths_age=600&lengths_incr=5&msg_rates_age=600&msg_rates_incr=5"

ROUND_S = 1.0

BINDINGS = (
    ("orders", "order.#"),
    ("invoices", "order.paid.*"),
    ("parcels", "order.paid.express"),
    ("mail", "order.*.standard"),
    ("archive", "#"),
)


@dataclass
class Shop:
    """connection: the name of the packers' connection.  trade: messages for some seconds."""

    api: Api
    connection: str
    publisher: BlockingChannel
    workers: BlockingConnection
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def trade(self) -> None:
        """More in some seconds than in others, always the same."""
        for number in range(TRADE_ROUNDS):
            if number % 5 == 0:
                for each in (*LOOKED_AT, f"channels/{part(f'{self.connection} (1)')}"):
                    self.api.get(f"/{each}{SAMPLES}")
            self.trade_a_second()

    def trade_a_second(self) -> None:
        """Some messages."""
        chance = self.chance
        for _ in range(chance.choice((4, 9, 15, 22, 31))):
            state, speed = chance.choice(("new", "paid", "paid")), chance.choice(("standard", "express"))
            body = {"order": chance.randrange(1000, 9999), "item": chance.choice(("hay 5 kg", "burrow lamp"))}
            properties = pika.BasicProperties(
                content_type="application/json",
                delivery_mode=2,
                headers={"shop": chance.choice(("north", "south"))},
            )
            self.publisher.basic_publish("shop", f"order.{state}.{speed}", json.dumps(body).encode(), properties)
        self.workers.sleep(ROUND_S)


@contextmanager
def open_shop(broker: WarrenProcess, api: Api) -> Iterator[Shop]:
    """The shop, with its clients connected."""
    furnish(api)
    with ExitStack() as clients:
        publisher = clients.enter_context(connected(broker, "shop front", "clerk"))
        workers = clients.enter_context(connected(broker, "packers", "packer"))
        channel = workers.channel()
        channel.basic_qos(prefetch_count=20)
        for queue in ("orders", "parcels", "archive"):
            channel.basic_consume(queue, lambda it, method, *_: it.basic_ack(method.delivery_tag), consumer_tag=queue)
        hoarder = workers.channel()
        hoarder.basic_qos(prefetch_count=5)
        hoarder.basic_consume("mail", lambda *_: None, consumer_tag="mail")
        thermometers(broker, clients)
        name = next(each["name"] for each in api.get("/connections") if each["user_provided_name"] == "packers")
        yield Shop(api, name, publisher.channel(), workers)


def furnish(api: Api) -> None:
    """What is declared."""
    for user, tags in (("clerk", ""), ("packer", "monitoring"), ("auditor", "policymaker")):
        api.put(f"/users/{user}", {"password": "secret", "tags": tags})
        api.put(f"/permissions/%2F/{user}", {"configure": f"^{user}", "write": ".*", "read": ".*"})
    api.put("/topic-permissions/%2F/clerk", {"exchange": "shop", "write": "^order\\.", "read": ".*"})
    api.put("/user-limits/packer/max-connections", {"value": 10})
    api.put("/vhosts/test", {"description": "where changes are tried out", "tags": "trial"})
    api.put("/vhost-limits/test/max-queues", {"value": 50})
    api.put("/exchanges/%2F/shop", {"type": "topic", "durable": True})
    api.put(
        "/exchanges/%2F/reminders",
        {"type": "x-delayed-message", "durable": True, "arguments": {"x-delayed-type": "direct"}},
    )
    for queue, key in BINDINGS:
        arguments = {"x-queue-type": "quorum"} if queue == "orders" else {"x-max-length": 5000}
        api.put(f"/queues/%2F/{queue}", {"durable": True, "arguments": arguments})
        api.ask("POST", f"/bindings/%2F/e/shop/q/{queue}", {"routing_key": key})
    api.ask("POST", "/bindings/%2F/e/amq.topic/e/shop", {"routing_key": "web.order.#"})
    api.ask("POST", "/bindings/%2F/e/reminders/q/mail", {"routing_key": "payment"})
    for minutes in (20, 60, 24 * 60):
        api.publish(
            "reminders",
            "payment",
            "Has it been paid?",
            message_id=f"reminder-{minutes}",
            headers={"x-delay": minutes * 60_000},
        )
    policy = {"pattern": "^archive$", "definition": {"message-ttl": 86_400_000}, "apply-to": "queues", "priority": 1}
    api.put("/policies/%2F/one-day", policy)
    federated = {"pattern": "^news$", "definition": {"federation-upstream": "centre"}, "apply-to": "exchanges"}
    api.put("/exchanges/%2F/news", {"type": "fanout"})
    api.put("/parameters/federation-upstream/%2F/centre", {"value": {"uri": "amqp://branch:secret@127.0.0.1:1"}})
    api.put("/policies/%2F/news", federated)
    shovel = {"src-uri": "amqp://", "src-queue": "outgoing", "dest-uri": "amqp://", "dest-exchange": "shop"}
    api.put(f"/parameters/shovel/%2F/{part('to the shop')}", {"value": shovel})


@contextmanager
def connected(broker: WarrenProcess, name: str, user: str) -> Iterator[BlockingConnection]:
    """A connection of a user, by a name."""
    parameters = pika.ConnectionParameters(
        "127.0.0.1",
        broker.amqp_port,
        credentials=pika.PlainCredentials(user, "secret"),
        client_properties={"connection_name": name},
    )
    with pika.BlockingConnection(parameters) as connection:
        yield connection


def thermometers(broker: WarrenProcess, clients: ExitStack) -> None:
    """MQTT clients, with sessions that outlive them and messages that are retained."""
    for name in ("thermometer", "gate"):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        client.username_pw_set("guest", "guest")
        client.connect("127.0.0.1", broker.addresses["mqtt"][1])
        client.loop_start()
        clients.callback(client.loop_stop)
        clients.callback(client.disconnect)
        for topic in (f"{name}/set", "house/+/alarm"):
            client.subscribe(topic, 1)
        for place, value in (("nest", 21.5), ("tunnel", 12.4), ("entrance", 8.1)):
            body = json.dumps({"celsius": value, "battery": 80})
            client.publish(f"house/{place}/{name}", body, 1, retain=True).wait_for_publish(30)
