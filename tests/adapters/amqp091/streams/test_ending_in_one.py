"""What else leads into a stream: the history of an exchange, dead letters, and messages that were delayed."""

from __future__ import annotations

import pytest

from tests.adapters.amqp091.streams.talk import Talk, properties_of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable
from warren.core.messages.properties import encode_properties
from warren.core.policies.policy import POLICY, make_policy


def set_history(broker: SimulatedBroker, pattern: str, stream: str = "s") -> None:
    policy = make_policy(POLICY, "history", pattern, {"history-stream": stream}, apply_to="exchanges")
    broker.broker.policies.set(broker.vhost, policy)
    broker.settle()


def declare_exchange(talk: Talk, name: str, kind: str, **arguments: object) -> None:
    table = {key.replace("_", "-"): value for key, value in arguments.items()}
    talk.client.send(1, methods.ExchangeDeclare(exchange=name, type=kind, durable=True, arguments=table))  # type: ignore[arg-type]  # the encoder checks
    talk.client.expect(methods.ExchangeDeclareOk)


def bind(talk: Talk, queue: str, exchange: str, key: str = "") -> None:
    talk.client.send(1, methods.QueueBind(queue=queue, exchange=exchange, routing_key=key))
    talk.client.expect(methods.QueueBindOk)


def test_the_history_of_an_exchange_has_all_that_comes_by(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    declare_exchange(talk, "orders", "direct")
    talk.client.declare("q")
    bind(talk, "q", "orders", "k")
    set_history(broker, "^orders$")
    for key, body in (("k", b"routed"), ("none", b"unroutable"), ("k", b"again")):
        talk.client.publish(key, body, exchange="orders")
    broker.settle()
    assert talk.queue.ready_count == 3
    assert broker.vhost.queue("q").ready_count == 2
    talk.consume(x_stream_offset="first")
    talk.began()
    got = [(event.method, event.body) for event in talk.deliveries()]
    assert [
        (method.exchange, method.routing_key, body) for method, body in got if isinstance(method, methods.BasicDeliver)
    ] == [("orders", "k", b"routed"), ("orders", "none", b"unroutable"), ("orders", "k", b"again")]


def test_what_only_the_history_has_is_unroutable(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    declare_exchange(talk, "orders", "direct")
    set_history(broker, "^orders$")
    for _ in range(3):
        talk.client.publish("k", b"x", exchange="orders", mandatory=True)
        returned = talk.client.expect(methods.BasicReturn)
        assert returned.reply_text == "NO_ROUTE"
    assert talk.queue.ready_count == 3


def test_confirms_wait_for_the_history(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    declare_exchange(talk, "orders", "fanout")
    set_history(broker, "^orders$")
    talk.client.confirm_select()
    broker.commits_by_itself = False
    for number in range(1, 4):
        talk.client.publish("k", b"x", exchange="orders")
        assert talk.client.take_methods() == []
        broker.begin_commit()
        broker.finish_commit()
        assert talk.client.take_methods() == [methods.BasicAck(number, False)]


def test_a_message_that_passes_two_such_exchanges_is_kept_once(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    declare_exchange(talk, "orders", "fanout")
    declare_exchange(talk, "orders2", "fanout")
    talk.client.send(1, methods.ExchangeBind(destination="orders2", source="orders"))
    talk.client.expect(methods.ExchangeBindOk)
    bind(talk, "s", "orders2")
    set_history(broker, "^orders")
    talk.publish(b"direct")
    talk.client.publish("k", b"x", exchange="orders")
    broker.settle()
    assert talk.read("first") == [b"direct", b"x"]


def test_without_the_stream_the_log_says_so_and_it_begins_when_it_is_there(
    talk: Talk, broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    declare_exchange(talk, "orders", "fanout")
    talk.client.declare("s2")
    set_history(broker, "^orders$", "s")
    for _ in range(2):
        talk.client.publish("k", b"lost", exchange="orders")
    (told,) = [record.message for record in caplog.records if "history-stream" in record.message]
    assert told.startswith("exchange 'orders' has the history-stream 's', which is no stream")
    talk.declare()
    talk.client.publish("k", b"kept", exchange="orders")
    broker.settle()
    assert talk.read("first") == [b"kept"]


@pytest.mark.parametrize("stop", ["restart", "crash"])
def test_the_history_goes_on_after_a_restart_and_ends_with_its_policy(
    talk: Talk, broker: SimulatedBroker, stop: str
) -> None:
    talk.declare()
    declare_exchange(talk, "orders", "fanout")
    set_history(broker, "^orders$")
    getattr(broker, stop)()
    talk.reconnect()
    talk.client.publish("k", b"1", exchange="orders")
    broker.settle()
    broker.broker.policies.clear(broker.vhost, POLICY, "history")
    talk.client.publish("k", b"2", exchange="orders")
    broker.settle()
    assert talk.read("first") == [b"1"]


def test_dead_letters_may_end_in_a_stream(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    dead: FieldTable = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "s"}
    talk.client.send(1, methods.QueueDeclare(queue="q", durable=True, arguments=dead))
    talk.client.expect(methods.QueueDeclareOk)
    for body in (b"rejected", b"expired"):
        properties = encode_properties(delivery_mode=2, expiration="1000" if body == b"expired" else None)
        talk.client.publish("q", body, properties=properties.raw)
    got = talk.client.get("q")
    assert got is not None
    talk.client.nack(1, requeue=False)
    broker.settle()
    broker.advance(2000)
    assert broker.vhost.queue("q").ready_count == 0
    talk.consume(x_stream_offset="first")
    talk.began()
    events = talk.deliveries()
    assert [event.body for event in events] == [b"rejected", b"expired"]
    assert [(properties_of(each).headers or {})["x-first-death-reason"] for each in events] == ["rejected", "expired"]


def test_delayed_messages_may_end_in_a_stream(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    declare_exchange(talk, "later", "x-delayed-message", x_delayed_type="direct")
    bind(talk, "s", "later", "k")
    properties = encode_properties(delivery_mode=2, headers={"x-delay": 5000})
    talk.client.publish("k", b"late", exchange="later", properties=properties.raw)
    broker.settle()
    assert talk.queue.ready_count == 0
    broker.advance(5000)
    assert talk.queue.ready_count == 1
    broker.crash()
    assert talk.read("first") == [b"late"]
