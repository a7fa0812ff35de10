"""A stranger's tests with pika, plain functions: routing, looks, faults.  Run by ../test_strangers.py."""

from __future__ import annotations

import threading

import pika
import pika.exceptions
import pytest

from warren.testing.broker import WarrenBroker
from warren.testing.errors import WarrenError

PERSISTENT = pika.BasicProperties(delivery_mode=2, headers={"kind": "order"})

SECONDS = 10


def connect(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(url))


def confirming(connection: pika.BlockingConnection) -> pika.adapters.blocking_connection.BlockingChannel:
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    channel.confirm_delivery()
    return channel


@pytest.mark.parametrize("number", range(6))
def test_each_test_has_a_virtual_host(warren_url: str, warren_broker: WarrenBroker, number: int) -> None:
    assert warren_broker.queues() == []
    with connect(warren_url) as connection:
        channel = confirming(connection)
        for _ in range(number):
            channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
    assert warren_broker.queue("orders").ready == number
    assert len(warren_broker.published()) == number


def test_what_went_where(warren_url: str, warren_broker: WarrenBroker) -> None:
    with connect(warren_url) as connection:
        channel = confirming(connection)
        channel.queue_declare("audit")
        channel.queue_bind("audit", "amq.topic", "order.#")
        channel.queue_bind("orders", "amq.topic", "order.new")
        channel.basic_publish("amq.topic", "order.new", b"three chairs", PERSISTENT)
        channel.basic_publish("amq.topic", "order.paid", b"three chairs")
        channel.basic_publish("amq.topic", "nobody", b"wants it")
        (new,) = warren_broker.assert_routed("amq.topic", "order.new", "orders", "audit", body=b"three chairs", count=1)
        warren_broker.assert_routed("amq.topic", "order.paid", "audit")
        assert new.headers == {"kind": "order"}
        assert new.user == "guest"
        assert new.connection == warren_broker.connections()[0].name
        (nobodys,) = warren_broker.published(routing_key="nobody")
        assert nobodys.queues == ()
        assert [(each.body, each.headers) for each in warren_broker.messages("orders")] == [
            (b"three chairs", {"kind": "order"})
        ]
        assert warren_broker.queue("orders").ready == 1, "looking takes nothing"
        channel.basic_publish("", "orders", b"directly")
        with pytest.raises(AssertionError, match=r"'orders', not to 'audit'"):
            warren_broker.assert_routed("", "orders", "audit")
        with pytest.raises(AssertionError, match=r"(?s)0 messages were published to exchange 'amq.topic' .*wants it"):
            warren_broker.assert_routed("amq.topic", "order.lost", timeout=0.1)
        with pytest.raises(AssertionError, match=r"^1 messages .* not 2"):
            warren_broker.assert_routed("amq.topic", "nobody", count=2, timeout=0.1)
        with pytest.raises(WarrenError, match="no queue 'other', but 'audit', 'orders'"):
            warren_broker.queue("other")


def test_waiting_for_a_worker(warren_url: str, warren_broker: WarrenBroker) -> None:
    def work() -> None:
        with connect(warren_url) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1)
            for method, _, _ in channel.consume("orders", inactivity_timeout=SECONDS):
                if method is None:
                    return
                channel.basic_ack(method.delivery_tag)
                if method.delivery_tag == 10:
                    break

    with connect(warren_url) as connection:
        channel = confirming(connection)
        worker = threading.Thread(target=work)
        worker.start()
        warren_broker.wait_for_consumers("orders")
        for _ in range(10):
            channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
        warren_broker.wait_until_idle("orders")
        worker.join()
        channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
        assert warren_broker.wait_for_messages("orders", 1).ready == 1
        with pytest.raises(WarrenError, match=r"(?s)nothing left to do: not within 0.1 s; .*'orders': 1 ready"):
            warren_broker.wait_until_idle(timeout=0.1)


def test_one_of_two_connections_is_closed(warren_url: str, warren_broker: WarrenBroker) -> None:
    parameters = pika.URLParameters(warren_url)
    parameters.client_properties = {"connection_name": "billing"}
    with connect(warren_url) as other:
        billing = pika.BlockingConnection(parameters)
        with pytest.raises(WarrenError, match="0 connections are called 'shipping', but there has to be one: "):
            warren_broker.close("shipping")
        warren_broker.close("billing", 320)
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
            billing.process_data_events(SECONDS)
        assert (closed.value.reply_code, closed.value.reply_text) == (320, "CONNECTION_FORCED - closed by the test")
        warren_broker.close(warren_broker.connections()[0], 541, "INTERNAL_ERROR - as it happens")
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
            other.process_data_events(SECONDS)
        assert (closed.value.reply_code, closed.value.reply_text) == (541, "INTERNAL_ERROR - as it happens")


def test_confirms_are_refused(warren_url: str, warren_broker: WarrenBroker) -> None:
    with connect(warren_url) as connection:
        with pytest.raises(WarrenError, match="no queue yet"), warren_broker.refuse_confirms():
            pass
        channel = confirming(connection)
        channel.queue_declare("other", durable=True, arguments={"x-queue-type": "quorum"})
        with warren_broker.refuse_confirms("orders"):
            with pytest.raises(pika.exceptions.NackError):
                channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
            channel.basic_publish("", "other", b"three chairs", PERSISTENT)
        with warren_broker.refuse_confirms():
            with pytest.raises(pika.exceptions.NackError):
                channel.basic_publish("", "other", b"three chairs", PERSISTENT)
            channel.queue_delete("other")
        channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
        channel.queue_declare("log", durable=True, arguments={"x-queue-type": "stream"})
        with warren_broker.refuse_confirms("log"), pytest.raises(pika.exceptions.NackError):
            channel.basic_publish("", "log", b"three chairs", PERSISTENT)
        channel.basic_publish("", "log", b"three chairs", PERSISTENT)
    assert [each.body for each in warren_broker.messages("orders")] == [b"three chairs"]


def test_an_alarm(warren_url: str, warren_broker: WarrenBroker) -> None:
    with connect(warren_url) as connection:
        channel = confirming(connection)
        told: list[str] = []
        connection.add_on_connection_blocked_callback(lambda _, method: told.append(method.method.reason))
        connection.add_on_connection_unblocked_callback(lambda *_: told.append("free"))
        with warren_broker.alarm("disk"):
            connection.channel().basic_publish("", "orders", b"held back")
            while not told:
                connection.process_data_events(SECONDS)
            with pytest.raises(WarrenError, match="memory and disk, not smell"):
                warren_broker.set_alarm("smell", True)
        while len(told) < 2:
            connection.process_data_events(SECONDS)
        assert told == ["low on disk", "free"]
        channel.basic_publish("", "orders", b"three chairs", PERSISTENT)
        warren_broker.set_alarm("memory", True)


def test_the_alarm_of_another_test_is_over(warren_url: str, warren_broker: WarrenBroker) -> None:
    with connect(warren_url) as connection:
        confirming(connection).basic_publish("", "orders", b"three chairs", PERSISTENT)
    assert warren_broker.queue("orders").messages == 1


def test_a_crash(warren_url: str, warren_broker: WarrenBroker) -> None:
    connection = connect(warren_url)
    channel = confirming(connection)
    channel.basic_publish("", "orders", b"confirmed", PERSISTENT)
    address = warren_broker.address()
    warren_broker.kill()
    with pytest.raises(pika.exceptions.AMQPError):
        channel.basic_publish("", "orders", b"lost", PERSISTENT)
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(warren_url)
    with pytest.raises(WarrenError, match="restart"):
        warren_broker.queues()
    warren_broker.restart()
    assert warren_broker.address() == address
    with connect(warren_url) as again:
        assert [each.body for each in warren_broker.messages("orders")] == [b"confirmed"]
        confirming(again).basic_publish("", "orders", b"after it", PERSISTENT)
        warren_broker.assert_routed("", "orders", "orders", body=b"after it", count=1)
    warren_broker.kill()


def test_it_is_back_after_a_test_that_left_it_killed(warren_url: str, warren_broker: WarrenBroker) -> None:
    with connect(warren_url) as connection:
        confirming(connection)
    assert [each.name for each in warren_broker.queues()] == ["orders"]


def test_a_link_is_cut(warren_url: str, warren_broker: WarrenBroker) -> None:
    with warren_broker.link() as link, connect(warren_url) as direct:
        linked = connect(link.url)
        confirming(linked).basic_publish("", "orders", b"three chairs", PERSISTENT)
        assert len(warren_broker.connections()) == 2
        link.cut()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            linked.process_data_events(SECONDS)
        warren_broker.wait_until(lambda: len(warren_broker.connections()) == 1)
        link.refuse()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            connect(link.url)
        link.heal()
        with connect(link.url) as again:
            confirming(again).basic_publish("", "orders", b"three chairs", PERSISTENT)
        confirming(direct)
    assert warren_broker.queue("orders").messages == 2


def test_a_link_goes_silent(warren_url: str, warren_broker: WarrenBroker) -> None:
    with warren_broker.link() as link, connect(link.url) as connection:
        confirming(connection)
        unconfirmed = connection.channel()
        link.stall()
        unconfirmed.basic_publish("", "orders", b"three chairs", PERSISTENT)
        connection.process_data_events(0.2)
        assert warren_broker.queue("orders").messages == 0
        link.heal()
        warren_broker.wait_for_messages("orders", 1)
