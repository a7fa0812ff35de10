"""Messages between the page and pika, both ways, over every protocol that the page speaks, with TLS and without."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.conftest import Broker
from tests.browser.operating import log_in, publish, select_message, subscribe
from tests.browser.page import Page

SCHEMES = ["ws", "wss"]

PROTOCOLS = ["stomp", "mqtt5", "mqtt4"]

RECEIVE_LIMIT_S = 60


def topic(protocol: str, *words: str) -> str:
    """These words as the protocol writes a topic."""
    return "/topic/" + ".".join(words) if protocol == "stomp" else "/".join(words)


def receive(amqp: BlockingChannel, queue: str) -> tuple[pika.BasicProperties, bytes]:
    """The next message of a queue."""
    for _, properties, body in amqp.consume(queue, auto_ack=True, inactivity_timeout=RECEIVE_LIMIT_S):
        assert body is not None, "nothing arrived"
        return properties, body
    raise AssertionError("the consumer was cancelled")


@pytest.fixture
def queue(amqp: BlockingChannel, name: str) -> str:
    """A queue bound to the topic NAME.out."""
    declared = str(amqp.queue_declare("", exclusive=True).method.queue)
    amqp.queue_bind(declared, "amq.topic", f"{name}.out")
    return declared


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_page_publishes_and_pika_receives(
    page: Page, broker: Broker, amqp: BlockingChannel, queue: str, name: str, scheme: str, protocol: str
) -> None:
    page.open(broker.url(scheme))
    log_in(page, protocol)
    answer = publish(page, topic(protocol, name, "out"), "größer als 😀")
    assert "RECEIPT after" in answer if protocol == "stomp" else "PUBACK 0x00 Success" in answer
    _, body = receive(amqp, queue)
    assert body.decode() == "größer als 😀"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pika_publishes_and_the_page_receives(
    page: Page, broker: Broker, amqp: BlockingChannel, name: str, scheme: str, protocol: str
) -> None:
    page.open(broker.url(scheme))
    log_in(page, protocol)
    subscribe(page, topic(protocol, name, "*" if protocol == "stomp" else "+"))
    properties = pika.BasicProperties(content_type="application/json", headers={"colour": "green"})
    amqp.basic_publish("amq.topic", f"{name}.in", b'{"size": 12345678901234567890}', properties)
    shown = select_message(page, "12345678901234567890")
    assert topic(protocol, name, "in") in shown
    assert '{\n  "size": 12345678901234567890\n}' in shown
    if protocol != "mqtt4":
        assert "application/json" in shown
        assert "green" in shown


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
def test_properties_of_the_form_arrive(
    page: Page, broker: Broker, amqp: BlockingChannel, queue: str, name: str, protocol: str
) -> None:
    page.open(broker.url())
    log_in(page, protocol)
    page.click("#publish .more summary")
    values = {"contentType": "text/plain", "correlation": "c-1", "expiresS": "60", "headers": "colour: green\nodd: a:b"}
    for field, value in values.items():
        page.fill(f"#publish [name={field}]", value)
    if protocol == "stomp":
        page.click("#publish [name=persistent]")
    publish(page, topic(protocol, name, "out"), "x")
    properties, _ = receive(amqp, queue)
    assert (properties.content_type, properties.correlation_id, properties.delivery_mode) == ("text/plain", "c-1", 2)
    assert 0 < int(properties.expiration) <= 60_000
    assert properties.headers["colour"] == "green"
    assert properties.headers["odd"] == "a:b"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_binary_both_ways(
    page: Page, broker: Broker, amqp: BlockingChannel, queue: str, name: str, protocol: str
) -> None:
    page.open(broker.url())
    log_in(page, protocol)
    subscribe(page, topic(protocol, name, "in"))
    amqp.basic_publish("amq.topic", f"{name}.in", bytes(range(256)))
    assert "00f0  f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 fa fb fc fd fe ff" in select_message(page, "00 01 02 03")
    page.click("#publish input[value=hex]")
    publish(page, topic(protocol, name, "out"), "00 ff 0A fe")
    assert receive(amqp, queue)[1] == b"\x00\xff\n\xfe"


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_every_quality_of_service(page: Page, broker: Broker, name: str, qos: str) -> None:
    page.open(broker.url())
    log_in(page, "mqtt5")
    subscribe(page, name, qos)
    page.click(f"#publish [name=qos][value='{qos}']")
    answer = publish(page, name, "x")
    assert {"0": "sent", "1": "PUBACK 0x00", "2": "PUBCOMP 0x00"}[qos] in answer
    assert f"QoS {qos}" in select_message(page, name)


def test_retained_messages(page: Page, broker: Broker, name: str) -> None:
    page.open(broker.url())
    log_in(page, "mqtt5")
    page.click("#publish [name=retain]")
    publish(page, name, "still here")
    subscribe(page, name)
    assert "retain" in select_message(page, "still here")
    publish(page, name, "")


def test_repeating(page: Page, broker: Broker, amqp: BlockingChannel, queue: str, name: str) -> None:
    page.open(broker.url())
    log_in(page)
    publish(page, f"/topic/{name}.out", "again")
    page.click("#repeat")
    assert [receive(amqp, queue)[1], receive(amqp, queue)[1]] == [b"again", b"again"]


@pytest.mark.parametrize(("action", "left"), [("Ack", 0), ("Nack, requeue", 1), ("Nack, reject", 0)])
def test_settling_by_hand(page: Page, broker: Broker, amqp: BlockingChannel, name: str, action: str, left: int) -> None:
    amqp.queue_declare(name, durable=True)
    amqp.basic_publish("", name, b"settle me")
    page.open(broker.url())
    log_in(page)
    subscribe(page, f"/queue/{name}", "client-individual")
    select_message(page, "settle me")
    page.evaluate(
        f"[...document.querySelectorAll('#detail button')].find(each => each.innerText === '{action}').click()"
    )
    page.wait_for("document.querySelector('#detail .mark')?.innerText.match(/acknowledged|returned|rejected/)")
    page.click("#hang-up")
    page.wait_for("document.querySelector('#state').dataset.state === 'offline'")
    assert amqp.queue_declare(name, passive=True).method.message_count == left
    amqp.queue_delete(name)


def test_unsubscribing(page: Page, broker: Broker, amqp: BlockingChannel, name: str) -> None:
    page.open(broker.url())
    log_in(page)
    subscribe(page, f"/topic/{name}.a")
    subscribe(page, f"/topic/{name}.b")
    page.click("#subscriptions li:first-child button")
    page.wait_for("document.querySelectorAll('#subscriptions li').length === 1")
    page.click("#tab-wire")
    page.wait_for(
        "[...document.querySelectorAll('#wire .row')].filter(each => each.innerText.includes('RECEIPT')).length === 3"
    )
    amqp.basic_publish("amq.topic", f"{name}.a", b"unwanted")
    amqp.basic_publish("amq.topic", f"{name}.b", b"wanted")
    page.click("#tab-messages")
    select_message(page, "wanted")
    assert "unwanted" not in page.text("#messages")
