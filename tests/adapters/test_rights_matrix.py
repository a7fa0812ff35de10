"""Rights over every protocol: what is done, by which rights, and what is said without one of them, in one table.

Each operation is tried with exactly the rights that it takes, which has to be enough, and then without each of them,
which is refused in the protocol's own way.  All of it for users of the broker's own, and for those whom another
back-end knows, which answers at once, or in a later turn.

Longer than 400 lines because it is one table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, SubAck, Subscribe, Subscription, Will
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.messages.properties import encode_properties

USER = "alice"
PASSWORD = "secret"

ENTER: Atom = ("vhost", "/")

ANY = "(any)"
"""Instead of a queue's name that the broker makes up."""


@dataclass(frozen=True)
class Operation:
    """do: tries it, and says what came of it: "allowed", or how it is refused.  needs: the rights that it takes."""

    name: str
    do: Callable[[SimulatedBroker], str]
    needs: tuple[Atom, ...]
    refused: str


def configure(kind: str, name: str) -> Atom:
    return ("configure", kind, name)


def write(kind: str, name: str) -> Atom:
    return ("write", kind, name)


def read(kind: str, name: str) -> Atom:
    return ("read", kind, name)


# What is there before


def make(broker: SimulatedBroker) -> None:
    """Queue `q` with a binding, exchanges `x` (direct), `y` (fanout) and `t` (topic), by nobody whose rights count."""
    from tests.support.core_broker import core_client

    owner = core_client(broker.broker)
    declare_queue(owner, "q")
    for name, kind in (("x", "direct"), ("y", "fanout"), ("t", "topic")):
        declare_exchange(owner, name, kind, durable=True)
    bind(owner, "queue", "q", "x", "bound", {}, EMPTY_TABLE_RAW)
    broker.settle()


# AMQP


def amqp_client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.accept()
    client.handshake(user=USER, password=PASSWORD)
    client.open()
    return client


def amqp(method: methods.Method, broker: SimulatedBroker) -> str:
    client = amqp_client(broker)
    client.send(1, method)
    return outcome(client)


def outcome(client: SimulatedClient) -> str:
    """Of the last command on channel 1; asks for something harmless, where nothing answers by itself."""
    client.send(1, methods.BasicQos(0, 1, False))
    for event in client.take():
        if isinstance(event.method, methods.ChannelClose):
            assert "refused for user 'alice'" in event.method.reply_text
            return f"channel.close {event.method.reply_code}"
        if isinstance(event.method, methods.ConnectionClose):
            return f"connection.close {event.method.reply_code}"
    return "allowed"


def amqp_publish(exchange: str, key: str, broker: SimulatedBroker, properties: bytes = b"\0\0") -> str:
    client = amqp_client(broker)
    client.publish(key, b"body", exchange=exchange, properties=properties)
    return outcome(client)


def amqp_transaction(broker: SimulatedBroker) -> str:
    client = amqp_client(broker)
    client.send(1, methods.TxSelect())
    client.publish("bound", b"body", exchange="x")
    client.send(1, methods.TxCommit())
    return outcome(client)


def amqp_enter(broker: SimulatedBroker) -> str:
    client = broker.accept()
    client.send_bytes(handshake_bytes(user=USER, password=PASSWORD))
    last = client.take_methods()[-1]
    if isinstance(last, methods.ConnectionClose):
        return f"connection.close {last.reply_code}"
    return "allowed"


def amqp_as(broker: SimulatedBroker, name: str) -> str:
    """Publish in somebody else's name, which the tag `impersonator` allows."""
    client = amqp_client(broker)
    client.publish("bound", b"body", exchange="x", properties=encode_properties(user_id=name).raw)
    client.send(1, methods.BasicQos(0, 1, False))
    closed = [each for each in client.take_methods() if isinstance(each, methods.ChannelClose)]
    return f"channel.close {closed[0].reply_code}" if closed else "allowed"


CHANNEL_403 = "channel.close 403"

DEAD_LETTERS = {"x-dead-letter-exchange": "x"}

AMQP = (
    Operation("enter", amqp_enter, (), "connection.close 530"),
    Operation(
        "exchange.declare",
        partial(amqp, methods.ExchangeDeclare(exchange="new", type="direct")),
        (configure("exchange", "new"),),
        CHANNEL_403,
    ),
    Operation(
        "exchange.declare with an alternate",
        partial(amqp, methods.ExchangeDeclare(exchange="new", type="direct", arguments={"alternate-exchange": "x"})),
        (configure("exchange", "new"), read("exchange", "new"), write("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "exchange.delete",
        partial(amqp, methods.ExchangeDelete(exchange="x")),
        (configure("exchange", "x"),),
        CHANNEL_403,
    ),
    Operation(
        "exchange.bind",
        partial(amqp, methods.ExchangeBind(destination="y", source="x", routing_key="k")),
        (write("exchange", "y"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "exchange.unbind",
        partial(amqp, methods.ExchangeUnbind(destination="y", source="x", routing_key="k")),
        (write("exchange", "y"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "queue.declare",
        partial(amqp, methods.QueueDeclare(queue="new")),
        (configure("queue", "new"),),
        CHANNEL_403,
    ),
    Operation(
        "queue.declare with dead letters",
        partial(amqp, methods.QueueDeclare(queue="new", arguments=dict(DEAD_LETTERS))),
        (configure("queue", "new"), read("queue", "new"), write("exchange", "x")),
        CHANNEL_403,
    ),
    *(
        Operation(
            f"queue.declare, passive, by {right[0]}",
            partial(amqp, methods.QueueDeclare(queue="q", passive=True)),
            (right,),
            CHANNEL_403,
        )
        for right in (configure("queue", "q"), write("queue", "q"), read("queue", "q"))
    ),
    Operation("queue.delete", partial(amqp, methods.QueueDelete(queue="q")), (configure("queue", "q"),), CHANNEL_403),
    Operation("queue.purge", partial(amqp, methods.QueuePurge(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation(
        "queue.bind",
        partial(amqp, methods.QueueBind(queue="q", exchange="x", routing_key="k")),
        (write("queue", "q"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "queue.bind to a topic",
        partial(amqp, methods.QueueBind(queue="q", exchange="t", routing_key="k")),
        (write("queue", "q"), read("exchange", "t"), ("read", "topic", "t", "k")),
        CHANNEL_403,
    ),
    Operation(
        "queue.unbind",
        partial(amqp, methods.QueueUnbind(queue="q", exchange="x", routing_key="bound")),
        (write("queue", "q"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation("basic.get", partial(amqp, methods.BasicGet(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation("basic.consume", partial(amqp, methods.BasicConsume(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation("basic.publish", partial(amqp_publish, "x", "bound"), (write("exchange", "x"),), CHANNEL_403),
    Operation(
        "basic.publish by the default exchange",
        partial(amqp_publish, "", "q"),
        (write("exchange", "amq.default"),),
        CHANNEL_403,
    ),
    Operation(
        "basic.publish to a topic",
        partial(amqp_publish, "t", "k"),
        (write("exchange", "t"), ("write", "topic", "t", "k")),
        CHANNEL_403,
    ),
    Operation(
        "basic.publish with CC",
        partial(amqp_publish, "t", "k", properties=encode_properties(headers={"CC": ["other"]}).raw),
        (write("exchange", "t"), ("write", "topic", "t", "k"), ("write", "topic", "t", "other")),
        CHANNEL_403,
    ),
    Operation("tx.commit", amqp_transaction, (write("exchange", "x"),), CHANNEL_403),
)


# STOMP


def stomp_client(broker: SimulatedBroker) -> StompClient:
    return StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")


def stomp(command: str, broker: SimulatedBroker, **headers: str) -> str:
    (answer,) = stomp_client(broker).send(command, b"", receipt="done", **headers)
    return "allowed" if answer.command == "RECEIPT" else f"ERROR {answer['message']}"


def stomp_enter(broker: SimulatedBroker) -> str:
    (answer,) = StompClient(broker).send("CONNECT", accept_version="1.2", login=USER, passcode=PASSWORD, host="/")
    return "allowed" if answer.command == "CONNECTED" else f"ERROR {answer['message']}"


def stomp_transaction(broker: SimulatedBroker) -> str:
    client = stomp_client(broker)
    client.send("BEGIN", transaction="t")
    answers = client.send("SEND", b"body", destination="/exchange/x/bound", transaction="t")
    answers += client.send("COMMIT", transaction="t", receipt="done")
    errors = [answer for answer in answers if answer.command == "ERROR"]
    return f"ERROR {errors[0]['message']}" if errors else "allowed"


STOMP_REFUSED = "ERROR access_refused"

STOMP = (
    Operation("enter", stomp_enter, (), "ERROR Bad CONNECT"),
    Operation(
        "SEND to a queue",
        partial(stomp, "SEND", destination="/queue/new"),
        (configure("queue", "new"), write("exchange", "amq.default")),
        STOMP_REFUSED,
    ),
    Operation(
        "SEND to an exchange",
        partial(stomp, "SEND", destination="/exchange/x/bound"),
        (write("exchange", "x"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SEND to a topic",
        partial(stomp, "SEND", destination="/topic/k"),
        (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "k")),
        STOMP_REFUSED,
    ),
    Operation("COMMIT", stomp_transaction, (write("exchange", "x"),), STOMP_REFUSED),
    Operation(
        "SUBSCRIBE to a queue",
        partial(stomp, "SUBSCRIBE", destination="/queue/new", id="1"),
        (configure("queue", "new"), read("queue", "new")),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to a queue that is there",
        partial(stomp, "SUBSCRIBE", destination="/amq/queue/q", id="1"),
        (read("queue", "q"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to a topic",
        partial(stomp, "SUBSCRIBE", destination="/topic/k", id="1"),
        (
            configure("queue", ANY),
            write("queue", ANY),
            read("queue", ANY),
            read("exchange", "amq.topic"),
            ("read", "topic", "amq.topic", "k"),
        ),
        STOMP_REFUSED,
    ),
)


# MQTT


def mqtt_client(broker: SimulatedBroker, level: int, will: Will | None = None) -> tuple[MqttClient, int]:
    client = MqttClient(broker, level)
    answer = client.connect("c", username=USER, password=PASSWORD.encode(), will=will)
    return client, answer.reason_code


def mqtt_enter(level: int, broker: SimulatedBroker) -> str:
    _, code = mqtt_client(broker, level)
    return "allowed" if not code else f"CONNACK {code:#x}"


def mqtt_will(level: int, broker: SimulatedBroker) -> str:
    _, code = mqtt_client(broker, level, Will("a/b", b"gone", 0, False, {}))
    return "allowed" if not code else f"CONNACK {code:#x}"


def mqtt_publish(level: int, broker: SimulatedBroker) -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    answers = client.send(Publish("a/b", b"body", 1, 7, False, False, {}))
    if not answers:
        assert client.closed
        return "closed"
    (answer,) = answers
    code = getattr(answer, "reason_code", 0)
    return "allowed" if code < 0x80 else f"PUBACK {code:#x}"


def mqtt_subscribe(level: int, broker: SimulatedBroker) -> str:
    client, code = mqtt_client(broker, level)
    assert not code
    (answer,) = client.send(Subscribe(7, (Subscription("a/b", 1),), {}))
    assert isinstance(answer, SubAck)
    (code,) = answer.reason_codes
    return "allowed" if code < 0x80 else f"SUBACK {code:#x}"


def mqtt_operations(level: int, connack: str, will: str, puback: str, suback: str) -> tuple[Operation, ...]:
    writes = (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "a.b"))
    own = "mqtt-subscription-c"
    return (
        Operation("enter", partial(mqtt_enter, level), (), connack),
        Operation("CONNECT with a will", partial(mqtt_will, level), writes, will),
        Operation("PUBLISH", partial(mqtt_publish, level), writes, puback),
        Operation(
            "SUBSCRIBE",
            partial(mqtt_subscribe, level),
            (
                configure("queue", own),
                write("queue", own),
                read("queue", own),
                read("exchange", "amq.topic"),
                ("read", "topic", "amq.topic", "a.b"),
            ),
            suback,
        ),
    )


TABLE: Mapping[str, tuple[Operation, ...]] = {
    "AMQP": AMQP,
    "STOMP": STOMP,
    "MQTT 3.1.1": mqtt_operations(versions.V3_1_1, "CONNACK 0x5", "CONNACK 0x5", "closed", "SUBACK 0x80"),
    "MQTT 5": mqtt_operations(versions.V5, "CONNACK 0x87", "CONNACK 0x87", "PUBACK 0x87", "SUBACK 0x87"),
}

ROWS = [
    pytest.param(operation, None, id=f"{protocol} {operation.name}: allowed")
    for protocol, operations in TABLE.items()
    for operation in operations
] + [
    pytest.param(operation, missing, id=f"{protocol} {operation.name} without {' '.join(missing)}")
    for protocol, operations in TABLE.items()
    for operation in operations
    for missing in (*operation.needs, *([ENTER] if operation.name == "enter" else []))
]


# Whose users


def own_user(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """A user of the broker's own, with permissions that allow exactly these rights."""
    users = broker.broker.users
    users.add_user(USER, PASSWORD)
    if ENTER in rights:
        users.set_permissions(USER, "/", *(_expression(rights, verb) for verb in ("configure", "write", "read")))
        for exchange in ("t", "amq.topic"):
            keys = [
                _alternatives({right[3] for right in rights if right[:3] == (verb, "topic", exchange)})
                for verb in ("write", "read")
            ]
            users.set_topic_permissions(USER, "/", exchange, *keys)


def _expression(rights: set[Atom], verb: str) -> str:
    return _alternatives({right[2] for right in rights if right[0] == verb and right[1] != "topic"})


def _alternatives(names: set[str]) -> str:
    found = ["stomp-subscription-.*" if name == ANY else re.escape(name) for name in sorted(names)]
    return f"^({'|'.join(found)})$" if found else "^$"


def other_user(broker: SimulatedBroker, rights: set[Atom], *, later: bool) -> None:
    """A user whom another back-end knows."""
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD, rights=rights)
    if later:
        back_end.answers_later(broker.broker)
    use_chain(broker.broker, None, back_end)


def mixed_user(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """One whom another back-end knows, and whose permissions are in the broker."""
    own_user(broker, rights)
    broker.broker.users.change_password(USER, "another")
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD)
    use_chain(broker.broker, (back_end, [None]))


def other_rights(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """One of the broker's own, whose rights are another's to say."""
    broker.broker.users.add_user(USER, PASSWORD)
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD, rights=rights)
    back_end.answers_later(broker.broker)
    use_chain(broker.broker, (None, [back_end]))


class Named(TableBackEnd):
    """Takes names that the broker made up for ANY."""

    def allows(self, user: TableUser, atom: Atom) -> bool:
        if len(atom) == 3 and atom[2].startswith("stomp-subscription-"):
            atom = (*atom[:2], ANY)
        return super().allows(user, atom)


USERS: Mapping[str, Callable[[SimulatedBroker, set[Atom]], None]] = {
    "own": own_user,
    "another's": partial(other_user, later=False),
    "another's, later": partial(other_user, later=True),
    "another's with own permissions": mixed_user,
    "own with another's rights": other_rights,
}


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    make(simulated)
    yield simulated
    simulated.close()


@pytest.mark.parametrize("give", USERS.values(), ids=USERS)
@pytest.mark.parametrize(("operation", "missing"), ROWS)
def test_a_right(
    broker: SimulatedBroker,
    operation: Operation,
    missing: Atom | None,
    give: Callable[[SimulatedBroker, set[Atom]], None],
) -> None:
    rights = {ENTER, *operation.needs} - {missing}
    give(broker, rights)
    assert operation.do(broker) == ("allowed" if missing is None else operation.refused)


@pytest.mark.parametrize("give", USERS.values(), ids=USERS)
def test_a_wrong_password_is_refused_in_every_protocol(
    broker: SimulatedBroker, give: Callable[[SimulatedBroker, set[Atom]], None]
) -> None:
    give(broker, {ENTER})
    client = broker.accept()
    client.send_bytes(handshake_bytes(user=USER, password="wrong"))
    broker.settle()
    broker.advance(broker.broker.refused_logins.delay_ms)
    closed = [each for each in client.take_methods() if isinstance(each, methods.ConnectionClose)]
    assert [each.reply_code for each in closed] == [403]
    (answer,) = StompClient(broker).send("CONNECT", accept_version="1.2", login=USER, passcode="wrong", host="/")
    assert answer.command == "ERROR"
    assert answer["message"] == "Bad CONNECT"
    assert b"Access refused for user 'alice'" in answer.body
    for level, code in ((versions.V3_1_1, 4), (versions.V5, 0x86)):
        assert MqttClient(broker, level).connect(username=USER, password=b"wrong").reason_code == code


@pytest.mark.parametrize("tags", [frozenset[str](), frozenset({"impersonator"})], ids=["without", "with"])
def test_a_tag_of_another_back_end_counts(broker: SimulatedBroker, tags: frozenset[str]) -> None:
    back_end = TableBackEnd()
    back_end.users[USER] = TableUser(PASSWORD, tags, {ENTER, write("exchange", "x")})
    use_chain(broker.broker, back_end)
    assert amqp_as(broker, USER) == "allowed"
    assert amqp_as(broker, "somebody") == ("allowed" if tags else "channel.close 406")
