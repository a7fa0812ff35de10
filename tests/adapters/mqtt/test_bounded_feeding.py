"""Many small SUBSCRIBEs share what a turn may have of retained messages, and a walk begins in no time."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.test_retained_feeding import reading, retain
from tests.support.core_broker import core_broker
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Subscribe, Subscription
from warren.adapters.mqtt.sessions.feeding import COPY_WORK, SLICE_WORK, TURN_WORK
from warren.adapters.mqtt.sessions.retained import GAPS_MIN, RetainedMessages, RetainedNode
from warren.adapters.mqtt.sessions.system_topics import SystemTopics
from warren.core.chores import Ration
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY

CLIENTS = 12
FILTERS = 20


def copied(clients: list[MqttClient]) -> int:
    return sum(client.session.feed.copied_count for client in clients if client.session.feed is not None)


def test_many_small_subscribes_share_the_turn() -> None:
    """Each client asks twenty times for a few hundred messages, a filter at a time, all in one turn."""
    simulated = SimulatedBroker()
    for number in range(FILTERS):
        retain(simulated, 40, prefix=f"t{number}")
    clients = []
    for number in range(CLIENTS):
        client = MqttClient(simulated)
        client.connect(f"c{number}")
        clients.append(client)
    packets = [encode(Subscribe(number + 1, (Subscription(f"t{number}/+"),)), versions.V5) for number in range(FILTERS)]
    for client in clients:
        client.transport.receive(b"".join(packets))
    assert 0 < copied(clients) <= TURN_WORK // COPY_WORK
    before = copied(clients)
    while simulated.broker.end_turn():
        now = copied(clients)
        assert now - before <= (TURN_WORK + SLICE_WORK) // COPY_WORK + 1
        before = now
    came = [sorted(each.topic for each in reading(simulated, client)) for client in clients]
    assert came[0] == sorted(f"t{number}/{each}" for number in range(FILTERS) for each in range(40))
    assert all(each == came[0] for each in came)
    simulated.close()


def test_what_is_left_of_a_ration() -> None:
    ration = Ration(10)
    assert ration.left(1) == 10
    ration.spend(4)
    assert ration.left(1) == 6
    ration.spend(20)
    assert ration.left(1) == 0
    assert not ration.take(1, 1)
    assert ration.take(10, 2)
    assert ration.left(2) == 0


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_the_values_of_a_turn_are_computed_once(simulated: SimulatedBroker) -> None:
    computed: list[SystemTopics] = []
    topics = simulated.mqtt.of(simulated.vhost).system_topics
    real = SystemTopics.values

    def values(self: SystemTopics) -> Generator[None, None, dict[str, str]]:
        computed.append(self)
        return real(self)

    SystemTopics.values = values  # type: ignore[method-assign]
    try:
        for _ in range(3):
            topics.refresh(["a"])
            topics.refresh(["$SYS"])
        assert len(computed) == 1
        simulated.broker.end_turn()
        topics.refresh(["$SYS"])
        assert len(computed) == 2
    finally:
        SystemTopics.values = real  # type: ignore[method-assign]


# Walks


def made(count: int = 0) -> RetainedMessages:
    retained = RetainedMessages(core_broker(), "/")
    for number in range(count):
        put(retained, str(number))
    return retained


def put(retained: RetainedMessages, topic: str, body: bytes = b"x") -> None:
    retained.put(topic, Message(0, Address("amq.topic", topic), EMPTY, body, 0, len(body), 0, 0))


def found(walk: object) -> list[str]:
    return [node.topic for node in walk if isinstance(node, RetainedNode) and node.message is not None]  # type: ignore[attr-defined]


def test_a_walk_begins_without_a_look_at_all() -> None:
    """Whatever has come and gone since the one before."""
    retained = made(1000)
    listed = retained._root.listed
    assert listed is not None
    row = listed._row
    for number in range(20):
        put(retained, f"new{number}")
        put(retained, str(number), b"")
        assert next(retained.walk(["+"])) is None
        assert listed._row is row, "nothing is made anew"
    assert len(found(retained.walk(["+"]))) == 1000


def test_gaps_are_no_more_than_half() -> None:
    retained = made(1000)
    for number in range(990):
        put(retained, str(number), b"")
    listed = retained._root.listed
    assert listed is not None
    assert len(listed._row) <= GAPS_MIN
    assert found(retained.walk(["#"])) == [str(number) for number in range(990, 1000)]
    assert found(retained.walk(["995"])) == ["995"]


def test_a_walk_outlives_what_happens_meanwhile() -> None:
    retained = made(200)
    walk = retained.walk(["#"])
    seen = found(next(walk) for _ in range(50))
    for number in range(150):
        put(retained, str(number), b"")
    for number in range(300, 310):
        put(retained, str(number))
    rest = found(walk)
    assert set(rest) >= {str(number) for number in range(150, 200)}
    assert not set(rest) & {str(number) for number in range(150)}
    assert not set(seen) & set(rest)


TOPICS = st.sampled_from(["a", "b", "a/b", "a/c", "$SYS/x", "$SYS/x/y", "a/$x", "", "/", "c/d/e"])


@given(st.lists(st.tuples(TOPICS, st.booleans()), max_size=200))
def test_walks_find_what_is_there(steps: list[tuple[str, bool]]) -> None:
    retained = made()
    there: set[str] = set()
    for topic, is_put in steps:
        put(retained, topic, b"x" if is_put else b"")
        (there.add if is_put else there.discard)(topic)
        assert set(found(retained.walk(["#"]))) == {each for each in there if not each.startswith("$")}
        assert set(found(retained.walk(["+", "+"]))) == {
            each for each in there if each.count("/") == 1 and not each.startswith("$")
        }
        assert set(found(retained.walk(["$SYS", "#"]))) == {each for each in there if each.startswith("$SYS")}
        assert set(found(retained.walk(["a", "+"]))) == {each for each in there if each in ("a/b", "a/c", "a/$x")}
