"""The filters of one packet are subscribed to together where they can be, and that is as if each had come alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.packets import Packet, Publish, SubAck, Subscribe, Subscription
from warren.adapters.mqtt.codec.versions import V3_1, V3_1_1, V5

LEVELS = (V3_1, V3_1_1, V5)

WORDS = st.sampled_from(["a", "b", "é", "", "$x", "c.d", "*"])
FILTERS = st.one_of(
    st.lists(st.one_of(WORDS, st.just("+")), min_size=1, max_size=3).map("/".join).filter(bool),
    st.lists(WORDS, max_size=2).map(lambda words: "/".join([*words, "#"])),
    st.sampled_from(["$share/g/a", "$share/g/+", "$queue/q", "$queue/none", "$SYS/#", "a/" * 110, "x" * 99, "x" * 100]),
)


def one_of_all(level: int) -> st.SearchStrategy[Subscription]:
    if level != V5:
        return st.builds(lambda filter, qos: Subscription(filter, qos), FILTERS, st.integers(0, 2))
    return st.builds(
        lambda filter, qos, no_local, retained, handling: Subscription(
            filter, qos, no_local and not filter.startswith("$share"), retained, handling
        ),
        FILTERS,
        st.integers(0, 2),
        st.booleans(),
        st.booleans(),
        st.integers(0, 2),
    )


def published(packets: list[Packet]) -> list[str]:
    """The messages among them, without what numbers their sending."""
    return [str((each.topic, each.qos, each.retain, each.properties)) for each in packets if isinstance(each, Publish)]


def come_to_be(level: int, packets: list[list[Subscription]]) -> tuple[list[int], list[object], list[str]]:
    """What a client that subscribes so is answered, has in its session, and is sent."""
    simulated = SimulatedBroker()
    broker = MqttClient(simulated, V5)
    broker.connect("publisher")
    for topic in ("a", "b/c.d", "é"):
        broker.publish_fully(topic, b"kept", retain=True)
    client = MqttClient(simulated, level)
    client.connect("c", clean_start=False)
    codes: list[int] = []
    sent: list[str] = []
    for number, subscriptions in enumerate(packets):
        answers = client.send(Subscribe(number + 1, tuple(subscriptions)))
        codes += only(SubAck, answers).reason_codes
        sent += published(answers)
    session = client.session
    rows: list[object] = [*sorted(str(each.row()) for each in session.subscriptions.values())]
    counted = (session.no_local_count, session.registry.subscription_count, session.registry.shared_count)
    for topic in ("a", "b/c.d", "é", "$x", "a//", "x" * 99):
        broker.publish_fully(topic, b"new", qos=2)
        sent += published(client.packets())
    return codes, [*rows, counted], sorted(sent)


@pytest.mark.parametrize("level", LEVELS)
@given(st.data())
def test_many_in_one_packet_are_as_each_alone(level: int, data: st.DataObject) -> None:
    subscriptions = data.draw(st.lists(one_of_all(level), min_size=1, max_size=12))
    together = come_to_be(level, [subscriptions])
    alone = come_to_be(level, [[each] for each in subscriptions])
    assert together[:2] == alone[:2]
    if len({each.filter for each in subscriptions}) == len(subscriptions):
        assert together[2] == alone[2]
    else:
        assert set(together[2]) <= set(alone[2]), "a filter that is replaced at once has its retained messages once"


def test_one_that_is_refused_is_refused_alone() -> None:
    simulated = SimulatedBroker()
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", "^$", "^open")
    client = MqttClient(simulated)
    client.connect("c")
    answer = only(SubAck, client.subscribe("open/1", "shut", "open/2"))
    assert answer.reason_codes == (0, reason_codes.NOT_AUTHORIZED, 0)
    assert set(client.session.subscriptions) == {"open/1", "open/2"}


def test_a_user_without_rights_gets_none_and_nothing_is_left() -> None:
    simulated = SimulatedBroker()
    users = simulated.broker.users
    users.add_user("poor", "poor")
    users.set_permissions("poor", "/", "^$", "^$", "^$")
    client = MqttClient(simulated)
    client.connect("c", username="poor", password=b"poor")
    answer = only(SubAck, client.subscribe("a", "b"))
    assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,) * 2
    assert not client.session.subscriptions
    assert not simulated.broker.vhosts["/"].exchanges["amq.topic"].bindings


def test_a_queue_that_another_program_consumes_alone_leaves_nothing_subscribed() -> None:
    simulated = SimulatedBroker()
    client = MqttClient(simulated)
    client.connect("c", clean_start=False, session_expiry_interval=100)
    client.subscribe("first")
    queue = client.session.queue
    assert queue is not None
    client.disconnect()
    alone = simulated.connect()
    alone.send(1, methods.BasicConsume(queue=queue.name, exclusive=True))
    alone.expect(methods.BasicConsumeOk, 1)
    client = MqttClient(simulated)
    client.connect("c", clean_start=False, session_expiry_interval=100)
    answer = only(SubAck, client.subscribe("a", "b"))
    assert min(answer.reason_codes) >= reason_codes.UNSPECIFIED_ERROR
    assert set(client.session.subscriptions) == {"first"}
