"""Rights over every protocol: what is done, by which rights, and what is said without one of them, in tables (rights/).

Each operation is tried with exactly the rights that it takes, which has to be enough, and then without each of them,
which is refused in the protocol's own way, and changes nothing.  All of it for users of the broker's own, and for those
whom another back-end knows, which answers at once, or in a later turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.adapters.rights.amqp091 import AMQP, amqp_as
from tests.adapters.rights.amqp10 import AMQP_1_0, amqp10_as, amqp10_log_in, sasl_code
from tests.adapters.rights.direct import DIRECT
from tests.adapters.rights.mqtt import MQTT_3_1_1, MQTT_5
from tests.adapters.rights.operation import ENTER, PASSWORD, USER, Operation, make, topology, write
from tests.adapters.rights.stomp import STOMP
from tests.adapters.rights.stream import STREAM
from tests.adapters.rights.users import USERS
from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions

TABLE: Mapping[str, tuple[Operation, ...]] = {
    "AMQP": AMQP,
    "AMQP 1.0": AMQP_1_0,
    "STOMP": STOMP,
    "MQTT 3.1.1": MQTT_3_1_1,
    "MQTT 5": MQTT_5,
    "streams": STREAM,
    "in the process": DIRECT,
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
    before = topology(broker)
    assert operation.do(broker) == ("allowed" if missing is None else operation.refused)
    if missing is not None:
        assert topology(broker) == before


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
    assert sasl_code(amqp10_log_in(broker, "wrong")) == 1


@pytest.mark.parametrize("tags", [frozenset[str](), frozenset({"impersonator"})], ids=["without", "with"])
def test_a_tag_of_another_back_end_counts(broker: SimulatedBroker, tags: frozenset[str]) -> None:
    back_end = TableBackEnd()
    back_end.users[USER] = TableUser(PASSWORD, tags, {ENTER, write("exchange", "x")})
    use_chain(broker.broker, back_end)
    assert amqp_as(broker, USER) == "allowed"
    assert amqp_as(broker, "somebody") == ("allowed" if tags else "channel.close 406")
    assert amqp10_as(broker, USER) == "allowed"
    assert amqp10_as(broker, "somebody") == ("allowed" if tags else "detach amqp:unauthorized-access")
