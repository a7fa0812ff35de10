"""Sessions that go on of users whom another back-end knows: subscriptions are looked at in slices, before CONNACK."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, Disconnect, Publish, Will
from warren.adapters.mqtt.sessions import rights
from warren.core.access.questions import Answer, Question

USER, PASSWORD = "alice", b"secret"
MANY = 5 * rights.SUBSCRIPTIONS_PER_SLICE + 7
OWN = "mqtt-subscription-client"


class CountingBackEnd(TableBackEnd):
    """turns: of the broker, in which each of `asked` was asked."""

    def __init__(self, broker: SimulatedBroker) -> None:
        super().__init__()
        self.broker = broker
        self.turns: list[int] = []

    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        self.turns.append(self.broker.broker.turn)
        super().ask(question, answered)


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    yield simulated
    simulated.close()


@pytest.fixture
def table(broker: SimulatedBroker) -> CountingBackEnd:
    back_end = CountingBackEnd(broker)
    back_end.users[USER] = TableUser(PASSWORD.decode(), everything=True)
    use_chain(broker.broker, None, back_end)
    return back_end


def connect_packet(will: Will | None = None) -> Connect:
    properties = {"session_expiry_interval": 3600}
    return Connect("client", 5, False, 0, will, USER, PASSWORD, False, properties)  # type: ignore[arg-type]


def begin(broker: SimulatedBroker, will: Will | None = None) -> MqttClient:
    """A client whose CONNECT is there, and nothing more has happened."""
    client = MqttClient(broker)
    client.transport.receive(encode(connect_packet(will), 5))
    return client


def subscribed(broker: SimulatedBroker, *filters: str) -> MqttClient:
    client = begin(broker)
    broker.settle()
    for filter in filters:
        client.subscribe(filter, qos=1)
    return client


def forget(broker: SimulatedBroker) -> None:
    """What was answered isn't known any more."""
    broker.broker.users.ask_anew()
    broker.settle()


def narrow(table: TableBackEnd, *topics: str, verbs: tuple[Atom, ...] = ()) -> None:
    """Alice may read these topics alone."""
    user = table.users[USER]
    user.everything = False
    user.rights = {("vhost", "/"), ("read", "queue", OWN), ("read", "exchange", "amq.topic"), *verbs}
    user.rights |= {("read", "topic", "amq.topic", topic.replace("/", ".")) for topic in topics}


def names(many: int = MANY) -> list[str]:
    return [f"{'ab'[number % 2]}/{number}" for number in range(many)]


def test_very_many_are_looked_at_in_slices_before_connack(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    allowed = names()[1::2]
    narrow(table, *allowed)
    for topic in names()[:2]:
        amqp_publish(broker, topic)
    table.turns.clear()
    back = begin(broker)
    slices = 1
    while back.connection.running is None:
        assert back.packets() == []
        broker.broker.end_turn()
        slices += 1
        assert slices < 100
    assert slices >= MANY // rights.SUBSCRIPTIONS_PER_SLICE
    assert max(Counter(table.turns).values()) <= 2 * rights.SUBSCRIPTIONS_PER_SLICE + 5, (
        "of the connect, and of its turn"
    )
    assert len(table.turns) < MANY + 10, "each is asked about once"
    assert list(back.running.session.subscriptions) == allowed
    broker.settle()
    answer, *more = back.packets()
    assert isinstance(answer, ConnAck)
    assert answer.session_present
    came = [each.payload for each in more if isinstance(each, Publish)]
    assert came == [names()[1].encode()]


def amqp_publish(broker: SimulatedBroker, topic: str) -> None:
    client = MqttClient(broker)
    client.connect("publisher", username="guest", password=b"guest")
    client.publish(topic, topic.encode(), 1)
    client.transport.lose()
    broker.settle()


def test_no_more_than_a_slice_is_asked_at_once(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    """Answers that aren't kept for any time are kept as long as they are needed, and no longer."""
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    narrow(table, *names()[:250])
    answers = broker.broker.users.answers
    answers.ttl_ms = 0
    forget(broker)
    table.answers_when_told()
    back = begin(broker)
    broker.settle()
    most = most_kept = 0
    while table.waiting:
        assert back.packets() == []
        most, most_kept = max(most, table.waiting), max(most_kept, len(answers))
        table.answer()
        broker.settle()
    assert most == rights.SUBSCRIPTIONS_PER_SLICE
    assert most_kept < 2 * rights.SUBSCRIPTIONS_PER_SLICE
    assert isinstance(back.packets()[0], ConnAck)
    assert list(back.running.session.subscriptions) == names()[:250]
    assert len(answers) == 0


def test_a_back_end_that_breaks_ends_no_subscription(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    table.answers_when_told()
    back = begin(broker)
    broker.settle()
    for _ in range(2 * rights.SUBSCRIPTIONS_PER_SLICE):
        table.answer()
        broker.settle()
    table.broken = True
    while table.waiting:
        table.answer()
        broker.settle()
    (answer,) = back.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.SERVER_UNAVAILABLE
    assert back.closed
    assert list(client.session.subscriptions) == names()
    table.broken = False
    table.answers_later(broker.broker)
    again = begin(broker)
    broker.settle()
    assert list(again.running.session.subscriptions) == names()


def test_who_holds_the_session_is_told_before_it_is_looked_at(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, "a", "b")
    forget(broker)
    narrow(table, "b")
    table.answers_when_told()
    back = begin(broker)
    broker.settle()
    while not client.closed:
        table.answer()
        broker.settle()
    (told,) = client.packets()
    assert isinstance(told, Disconnect)
    assert told.reason_code == reason_codes.SESSION_TAKEN_OVER
    assert back.packets() == []
    while table.waiting:
        table.answer()
        broker.settle()
    assert list(back.running.session.subscriptions) == ["b"]


def test_whose_will_is_refused_takes_nothing_over(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, "a", "b")
    forget(broker)
    narrow(table, "b")
    back = begin(broker, Will("gone", b"!", 0, False, {}))
    broker.settle()
    broker.advance(broker.broker.refused_logins.delay_ms)
    (answer,) = back.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.NOT_AUTHORIZED
    assert not client.closed
    assert list(client.session.subscriptions) == ["a", "b"]


def test_one_that_is_lost_meanwhile_leaves_nothing_behind(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    answers = broker.broker.users.answers
    answers.ttl_ms = 0
    forget(broker)
    table.answers_when_told()
    back = begin(broker)
    broker.settle()
    while table.waiting < 50:
        table.answer()
        broker.settle()
    back.transport.lose()
    asked = len(table.asked)
    while table.waiting:
        table.answer()
        broker.settle()
    assert len(table.asked) == asked
    assert len(answers) == 0
    assert not broker.broker.chores
    assert list(client.session.subscriptions) == names()


def test_two_who_come_at_once(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    narrow(table, *names()[::2])
    first, second = begin(broker), begin(broker)
    broker.settle()
    assert isinstance(first.packets()[0], ConnAck)
    assert isinstance(second.packets()[0], ConnAck)
    assert first.closed != second.closed
    last = second if first.closed else first
    assert list(last.running.session.subscriptions) == names()[::2]
    assert last.running.session.holder is last.connection


def test_a_session_that_ends_meanwhile(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    back = begin(broker)
    client.session.end()
    broker.settle()
    (answer,) = back.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.SUCCESS
    assert not answer.session_present


def test_however_long_it_takes_the_login_goes_on(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    table.answers_when_told()
    back = begin(broker)
    broker.settle()
    while table.waiting < 50:
        table.answer()
        broker.settle()
    broker.advance(2 * back.connection.settings.login_timeout_ms)
    assert not back.closed
    while table.waiting:
        table.answer()
        broker.settle()
    assert isinstance(back.packets()[0], ConnAck)
    assert list(back.running.session.subscriptions) == names()


def test_rights_that_are_withdrawn_meanwhile_end_it_afterwards(broker: SimulatedBroker, table: CountingBackEnd) -> None:
    """Those of the first subscriptions, which were allowed when they were looked at."""
    client = subscribed(broker, *names())
    client.transport.lose()
    broker.settle()
    forget(broker)
    back = begin(broker)
    narrow(table, *names()[1:])
    broker.broker.users.ask_anew()
    broker.settle()
    answer, told = back.packets()
    assert isinstance(answer, ConnAck)
    assert isinstance(told, Disconnect)
    assert told.reason_code == reason_codes.NOT_AUTHORIZED
    again = begin(broker)
    broker.settle()
    assert list(again.running.session.subscriptions) == names()[1:]
