"""A disk that takes no more definitions: what would be kept is refused with that reason, everywhere, and nothing of it
is made; what there is goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.packets import SubAck
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.broker import Broker
from warren.core.errors import LowOnDisk
from warren.core.policies.policy import make_policy
from warren.core.storage.definitions.memory import MemoryDefinitionStore


class FullDefinitions(MemoryDefinitionStore):
    """Takes nothing more once it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False

    def has_room(self, value_bytes: int = 0) -> bool:
        return not self.is_full


@pytest.fixture
def definitions() -> FullDefinitions:
    return FullDefinitions()


@pytest.fixture
def broker(definitions: FullDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(definitions=definitions)
    yield broker
    broker.close()


def full(broker: SimulatedBroker, definitions: FullDefinitions) -> SimulatedClient:
    """A client with a durable queue and exchange, of a broker whose disk is full now."""
    client = broker.connect()
    client.declare("q", durable=True)
    client.send(1, methods.ExchangeDeclare(exchange="x", type="fanout", durable=True))
    client.settle()
    client.take()
    definitions.is_full = True
    return client


REFUSED = [
    methods.QueueDeclare(queue="new", durable=True),
    methods.ExchangeDeclare(exchange="new", type="topic", durable=True),
    methods.QueueBind(queue="q", exchange="x"),
    methods.ExchangeBind(destination="x", source="amq.topic"),
]


@pytest.mark.parametrize("method", REFUSED, ids=lambda each: each.NAME)
def test_amqp(broker: SimulatedBroker, definitions: FullDefinitions, method: methods.Method) -> None:
    client = full(broker, definitions)
    rows = list(definitions.load())
    bindings = len(broker.broker.inspect("bindings", "/"))
    client.send(1, method)
    closed = client.expect(methods.ChannelClose)
    assert closed.reply_code == 406
    assert closed.reply_text.startswith("PRECONDITION_FAILED - low on disk: ")
    assert list(definitions.load()) == rows
    assert set(broker.vhost.queues) == {"q"}
    assert "new" not in broker.vhost.exchanges
    assert len(broker.broker.inspect("bindings", "/")) == bindings


def test_what_takes_no_room_goes_on(broker: SimulatedBroker, definitions: FullDefinitions) -> None:
    client = full(broker, definitions)
    client.declare("q", durable=True)
    client.declare("transient")
    client.send(1, methods.QueueBind(queue="transient", exchange="x"))
    client.expect(methods.QueueBindOk)
    client.send(1, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk)


def test_stomp(broker: SimulatedBroker, definitions: FullDefinitions) -> None:
    client = StompClient(broker).connect()
    definitions.is_full = True
    (error,) = client.send("SUBSCRIBE", destination="/queue/new", id="1", receipt="r")
    assert error.command == "ERROR"
    assert b"low on disk" in error.body
    assert "new" not in broker.vhost.queues


def test_mqtt(broker: SimulatedBroker, definitions: FullDefinitions) -> None:
    kept = MqttClient(broker)
    kept.connect("kept", clean_start=False, session_expiry_interval=1000)
    passing = MqttClient(broker)
    passing.connect("passing")
    definitions.is_full = True
    (suback,) = kept.subscribe("a/b", qos=1)
    assert isinstance(suback, SubAck)
    assert suback.reason_codes == (reason_codes.QUOTA_EXCEEDED,)
    assert MqttClient(broker).connect("new", session_expiry_interval=1000).reason_code == reason_codes.QUOTA_EXCEEDED
    assert "new" not in broker.mqtt.of(broker.vhost).sessions
    kept.lose()
    assert MqttClient(broker).connect("kept", clean_start=False, session_expiry_interval=1000).reason_code == 0
    answers = passing.publish("t", b"retained", qos=1, retain=True, packet_id=1)
    assert getattr(answers[0], "reason_code", None) == reason_codes.QUOTA_EXCEEDED
    assert len(broker.mqtt.of(broker.vhost).retained) == 0


ADMINISTRATORS: list[Callable[[Broker], object]] = [
    lambda broker: broker.users.add_user("new", "secret"),
    lambda broker: broker.users.set_tags("guest", ["monitoring"]),
    lambda broker: broker.users.change_password("guest", "other"),
    lambda broker: broker.users.set_permissions("guest", "/", "a", "b", "c"),
    lambda broker: broker.users.set_topic_permissions("guest", "/", "amq.topic", "a", "b"),
    lambda broker: broker.add_vhost("new", {}),
    lambda broker: broker.update_vhost("/", {"description": "new"}),
    lambda broker: broker.set_tracing("/", True),
    lambda broker: broker.policies.set(broker.vhosts["/"], make_policy("policy", "p", "", {"max-length": 1})),
    lambda broker: broker.parameters.set_global("name", "value"),
    lambda broker: broker.parameters.set("/", "vhost-limits", "limits", {"max-queues": 1}),
    lambda broker: import_definitions(broker, '{"queues": [{"name": "new", "vhost": "/", "durable": true}]}'),
]


@pytest.mark.parametrize("number", range(len(ADMINISTRATORS)))
def test_administrators(broker: SimulatedBroker, definitions: FullDefinitions, number: int) -> None:
    definitions.is_full = True
    rows = list(definitions.load())
    with pytest.raises(LowOnDisk, match="low on disk"):
        ADMINISTRATORS[number](broker.broker)
    assert list(definitions.load()) == rows
    assert set(broker.broker.vhosts) == {"/"}
    assert [user.name for user in broker.broker.users] == ["guest"]
    assert not broker.vhost.queues
    assert not broker.vhost.tracing
    assert not broker.broker.policies.in_vhost("policy", "/")
    assert broker.broker.users.authenticate("guest", "guest", True).tags == {"administrator"}
