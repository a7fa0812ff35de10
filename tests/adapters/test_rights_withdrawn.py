"""A right that is withdrawn doesn't go on, in any protocol: docs/access.md has the table that this is the test of.

Longer than 400 lines because it is one table: each event, in each protocol.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.direct_clients import consume, session_of
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.direct.errors import ClientClosed, ConsumerEnded
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Disconnect, PubAck, Publish, Will
from warren.adapters.mqtt.sessions import rights
from warren.core.errors import AccessRefused, PreconditionFailed
from warren.core.messages.properties import EMPTY, encode_properties
from warren.core.withdrawals import ASKED_PER_SLICE, CLOSED_PER_SLICE

USER = "alice"
HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """With a user who may do everything in "/", and the queue q."""
    simulated = SimulatedBroker()
    simulated.broker.users.add_user(USER, "secret")
    simulated.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")
    simulated.connect().declare("q")
    yield simulated
    simulated.close()


def amqp(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.accept()
    client.handshake(user=USER, password="secret")
    client.open(1)
    return client


def stomp(broker: SimulatedBroker, user: str = USER, password: str = "secret") -> StompClient:
    client = StompClient(broker)
    client.connect(login=user, passcode=password)
    return client


def mqtt(
    broker: SimulatedBroker, client_id: str = "device", level: int = versions.V5, will: Will | None = None
) -> MqttClient:
    client = MqttClient(broker, level)
    more: dict[str, Any] = HOUR if level == versions.V5 else {}
    answer = client.connect(client_id, clean_start=False, username=USER, password=b"secret", will=will, **more)
    assert not answer.reason_code
    return client


def guest(broker: SimulatedBroker, client_id: str = "watcher") -> MqttClient:
    client = MqttClient(broker)
    client.connect(client_id)
    return client


def narrow(broker: SimulatedBroker, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
    broker.broker.users.set_permissions(USER, "/", configure, write, read)
    broker.settle()


DELETED = "user 'alice' is deleted"
SHUT_OUT = "access to vhost '/' is withdrawn from user 'alice'"


def delete_user(broker: SimulatedBroker) -> str:
    broker.broker.users.delete_user(USER)
    broker.settle()
    return DELETED


def clear_permissions(broker: SimulatedBroker) -> str:
    broker.broker.users.clear_permissions(USER, "/")
    broker.settle()
    return SHUT_OUT


def delete_vhost(broker: SimulatedBroker) -> str:
    broker.broker.delete_vhost("/")
    broker.settle()
    return "vhost '/' is deleted"


SHUTTING_OUT = [delete_user, clear_permissions, delete_vhost]

Event = Callable[[SimulatedBroker], str]


# Connections


@pytest.mark.parametrize("event", SHUTTING_OUT)
def test_amqp_is_closed_with_320(broker: SimulatedBroker, event: Event) -> None:
    client, other = amqp(broker), broker.connect()
    client.consume("q")
    client.take()
    reason = event(broker)
    closed = client.expect(methods.ConnectionClose, 0)
    assert closed.reply_code == 320
    assert closed.reply_text == f"CONNECTION_FORCED - {reason}"
    assert (other.connection.state == "running") == (event is not delete_vhost)
    if event is not delete_vhost:
        assert not broker.queue("q").consumers


@pytest.mark.parametrize("event", SHUTTING_OUT)
def test_stomp_is_told_in_an_error(broker: SimulatedBroker, event: Event) -> None:
    client = stomp(broker)
    client.send("SUBSCRIBE", destination="/amq/queue/q", id="1")
    reason = event(broker)
    (error,) = client.answers()
    assert error.command == "ERROR"
    assert error["message"] == "connection_forced"
    assert reason in error.body.decode()
    assert client.closed


@pytest.mark.parametrize("event", SHUTTING_OUT)
@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_mqtt_is_disconnected(broker: SimulatedBroker, event: Event, level: int) -> None:
    client = mqtt(broker, level=level)
    client.subscribe("a")
    reason = event(broker)
    assert client.closed
    if level == versions.V5:
        (said,) = client.packets()
        assert isinstance(said, Disconnect)
        assert said.reason_code == reason_codes.ADMINISTRATIVE_ACTION
        assert said.properties["reason_string"] == reason


@pytest.mark.parametrize("event", SHUTTING_OUT)
def test_a_direct_client_is_closed(broker: SimulatedBroker, event: Event) -> None:
    session = session_of(broker, USER)
    consumer = consume(session)
    reason = event(broker)
    assert isinstance(session.closed, ClientClosed)
    assert reason in str(session.closed)
    assert consumer.error is session.closed


def test_what_was_not_acknowledged_returns(broker: SimulatedBroker) -> None:
    client = amqp(broker)
    client.publish("q", b"x")
    client.consume("q")
    client.settle()
    assert not broker.queue("q").ready_count
    delete_user(broker)
    assert broker.queue("q").ready_count == 1


def test_who_has_the_name_next_is_somebody_else(broker: SimulatedBroker) -> None:
    """The connections of the deleted user are closed, those of a new user of the name aren't."""
    old = amqp(broker)
    broker.broker.users.delete_user(USER)
    broker.broker.users.add_user(USER, "other")
    broker.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")
    new = broker.accept()
    new.handshake(user=USER, password="other")
    broker.settle()
    assert old.connection.state in ("closing", "closed")
    assert new.connection.state == "running"


@pytest.mark.parametrize("change", ["change_password", "clear_password", "set_tags"])
def test_a_password_is_asked_for_at_logins_alone(broker: SimulatedBroker, change: str) -> None:
    """As RabbitMQ does it: connections stay, and who comes next needs the new one."""
    client, text, device = amqp(broker), stomp(broker), mqtt(broker)
    users = broker.broker.users
    if change == "change_password":
        users.change_password(USER, "new")
    elif change == "clear_password":
        users.clear_password(USER)
    else:
        users.set_tags(USER, ["monitoring"])
    broker.settle()
    assert client.connection.state == "running"
    assert not text.closed
    assert not device.closed
    if change != "set_tags":
        late = MqttClient(broker)
        assert (
            late.connect("late", username=USER, password=b"secret").reason_code
            == reason_codes.BAD_USER_NAME_OR_PASSWORD
        )


@pytest.mark.parametrize("change", ["change_password", "delete_user"])
def test_a_login_under_way_rests_on_the_password_that_is(broker: SimulatedBroker, change: str) -> None:
    """Between start-ok and connection.open of AMQP."""
    client = broker.accept()
    said = handshake_bytes(user=USER, password="secret")
    opening = methods.encode_frame(0, methods.ConnectionOpen("/"))
    assert said.endswith(opening)
    client.send_bytes(said.removesuffix(opening))
    client.settle()
    if change == "change_password":
        broker.broker.users.change_password(USER, "new")
    else:
        broker.broker.users.delete_user(USER)
        broker.broker.users.add_user(USER, "secret")
        broker.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")
    client.send_bytes(opening)
    closed = client.expect(methods.ConnectionClose, 0)
    assert closed.reply_code == 530
    assert "log in again" in closed.reply_text


def test_many_connections_are_closed_in_slices(broker: SimulatedBroker) -> None:
    count = 3 * CLOSED_PER_SLICE
    clients = [mqtt(broker, f"device-{number}") for number in range(count)]
    broker.broker.users.delete_user(USER)
    closed = [0]
    while broker.broker.end_turn():
        closed.append(sum(client.closed for client in clients))
        assert closed[-1] - closed[-2] <= CLOSED_PER_SLICE
    assert all(client.closed for client in clients)
    assert not broker.broker.withdrawals._running


# Consumers


def test_very_many_consumers_of_one_queue_are_cancelled_in_slices(broker: SimulatedBroker) -> None:
    client = amqp(broker)
    count = 3 * ASKED_PER_SLICE
    for number in range(count):
        client.consume("q", f"c{number}")
    broker.broker.users.set_permissions(USER, "/", ".*", ".*", "^mine$")
    left = [count]
    while broker.broker.end_turn():
        left.append(len(broker.queue("q").consumers))
        assert left[-2] - left[-1] <= ASKED_PER_SLICE
    assert not broker.queue("q").consumers


def test_an_amqp_consumer_is_cancelled(broker: SimulatedBroker) -> None:
    client = amqp(broker)
    client.declare("mine")
    client.consume("q", "of q")
    client.consume("mine", "of mine")
    client.publish("q", b"1")
    client.take()
    narrow(broker, read="^mine$")
    assert client.expect(methods.BasicCancel).consumer_tag == "of q"
    client.publish("q", b"2")
    client.publish("mine", b"3")
    assert client.take_bodies() == [b"3"]
    client.ack(1)
    broker.settle()
    assert client.connection.state == "running", "what was delivered before may be settled"
    assert broker.queue("q").ready_count == 1


def test_a_stomp_subscription_is_cancelled(broker: SimulatedBroker) -> None:
    client = stomp(broker)
    client.send("SUBSCRIBE", destination="/amq/queue/q", id="1")
    narrow(broker, read="^$")
    (error,) = client.answers()
    assert error.command == "ERROR"
    assert error["subscription"] == "1"
    assert error["message"] == "Server cancelled subscription"
    assert "read access to queue 'q' in vhost '/' refused for user 'alice'" in error.body.decode()
    assert not client.closed
    assert client.send("SEND", b"x", destination="/amq/queue/q") == []


def test_a_direct_consumer_ends(broker: SimulatedBroker) -> None:
    session = session_of(broker, USER)
    consumer = consume(session)
    narrow(broker, read="^$")
    assert isinstance(consumer.error, ConsumerEnded)
    assert "read access to queue 'q'" in str(consumer.error)
    assert session.closed is None


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
@pytest.mark.parametrize("filter", ["state/a", "$share/g/state/a", "$queue/q"])
def test_an_mqtt_subscription_ends(broker: SimulatedBroker, level: int, filter: str) -> None:
    client = mqtt(broker, level=level)
    client.subscribe(filter, "other", qos=1)
    if filter == "$queue/q":
        narrow(broker, read="^mqtt-|^amq.topic$")
    else:
        broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", "^other$")
        broker.settle()
    assert client.closed
    if level == versions.V5:
        (said,) = client.packets()
        assert isinstance(said, Disconnect)
        assert said.reason_code == reason_codes.NOT_AUTHORIZED
        assert filter in said.properties["reason_string"]
    again = mqtt(broker, level=level)
    assert list(again.session.subscriptions) == ["other"]
    watcher = guest(broker)
    watcher.publish("state/a", b"x", 1)
    watcher.publish("other", b"y", 1)
    assert [each.payload for each in again.messages()] == [b"y"]


def test_who_is_away_is_looked_at_when_it_comes_back(broker: SimulatedBroker) -> None:
    client = mqtt(broker)
    client.subscribe("a", qos=1)
    client.lose()
    guest(broker).publish("a", b"secret", 1)
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", "^b$")
    broker.settle()
    again = mqtt(broker)
    assert again.messages() == []
    assert not again.session.subscriptions


MANY = 5 * rights.SUBSCRIPTIONS_PER_SLICE + 7


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_very_many_subscriptions_are_looked_at_in_slices(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes meanwhile by one that isn't allowed any more, and what is allowed comes at once."""
    client = mqtt(broker)
    for number in range(MANY):
        client.subscribe(f"{'ab'[number % 2]}/{number}", qos=1)
    client.lose()
    for number in (0, 1, MANY - 2, MANY - 1):
        guest(broker).publish(f"{'ab'[number % 2]}/{number}", b"%d" % number, 1)
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", r"^b\.")
    broker.settle()
    looked_at: list[int] = []
    refusal = rights._refusal

    def counting(registry: Any, session: Any, subscription: Any) -> AccessRefused | None:
        looked_at.append(broker.broker.turn)
        return refusal(registry, session, subscription)

    monkeypatch.setattr(rights, "_refusal", counting)
    again = mqtt(broker)
    broker.settle()
    came = [each.payload for each in again.after_connack if isinstance(each, Publish)]
    came += [each.payload for each in again.messages()]
    assert sorted(came) == sorted([b"1", b"%d" % (MANY - 2)])
    assert len(looked_at) == MANY
    assert max(Counter(looked_at).values()) <= 2 * rights.SUBSCRIPTIONS_PER_SLICE, "of the connect, and of its turn"
    assert set(again.session.subscriptions) == {f"b/{number}" for number in range(1, MANY, 2)}
    assert not again.session.is_looked_at
    assert again.session.rights_version == broker.broker.users.version


def test_rights_that_change_while_many_are_looked_at_count_for_all(broker: SimulatedBroker) -> None:
    client = mqtt(broker)
    for number in range(MANY):
        client.subscribe(f"a/{number}")
    client.lose()
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", r"^a\.")
    broker.settle()
    session = broker.mqtt.of(broker.vhost).sessions["device"]
    rights.drop_withdrawn(session.registry, session)
    rights.drop_withdrawn(session.registry, session)
    assert session.is_looked_at
    assert len(broker.broker.chores) == 1
    broker.broker.end_turn()
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", "^never$")
    broker.settle()
    assert not session.subscriptions
    assert not session.is_looked_at


def test_a_session_that_ends_meanwhile_is_looked_at_no_more(broker: SimulatedBroker) -> None:
    client = mqtt(broker)
    for number in range(MANY):
        client.subscribe(f"a/{number}")
    client.lose()
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", "^never$")
    broker.settle()
    session = broker.mqtt.of(broker.vhost).sessions["device"]
    rights.drop_withdrawn(session.registry, session)
    session.end()
    broker.settle()
    assert not broker.broker.chores


def test_what_is_given_back_meanwhile_was_never_missed(broker: SimulatedBroker) -> None:
    client = mqtt(broker)
    client.subscribe("a", qos=1)
    client.lose()
    clear_permissions(broker)
    guest(broker).publish("a", b"x", 1)
    narrow(broker)
    again = MqttClient(broker)
    again.connect("device", clean_start=False, username=USER, password=b"secret", session_expiry_interval=3600)
    assert [getattr(each, "payload", b"") for each in again.after_connack] == [b"x"]


def test_more_rights_disturb_nobody(broker: SimulatedBroker) -> None:
    client, text, device, session = amqp(broker), stomp(broker), mqtt(broker), session_of(broker, USER)
    client.consume("q")
    text.send("SUBSCRIBE", destination="/amq/queue/q", id="1")
    device.subscribe("a")
    consumer = consume(session)
    client.take()
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", ".*", "^a$")
    broker.broker.users.clear_topic_permissions(USER, "/")
    narrow(broker, configure="^never$")
    assert len(broker.queue("q").consumers) == 3
    assert consumer.error is None
    assert not device.closed
    assert text.answers() == []
    assert client.take() == []


# What is asked at each command


def test_publishing_is_refused_from_then_on(broker: SimulatedBroker) -> None:
    client, text, device, session = amqp(broker), stomp(broker), mqtt(broker), session_of(broker, USER)
    for _ in range(3):
        client.publish("q", b"x")
        text.send("SEND", b"x", destination="/amq/queue/q")
        device.publish("a", b"x", 1)
        session.publish("", "q", EMPTY, b"x")
    broker.settle()
    before = broker.queue("q").ready_count
    narrow(broker, write="^$")
    client.publish("q", b"x")
    assert client.expect(methods.ChannelClose).reply_code == 403
    assert [each.command for each in text.send("SEND", b"x", destination="/amq/queue/q")] == ["ERROR"]
    (answer,) = device.publish("a", b"x", 1)
    assert isinstance(answer, PubAck)
    assert answer.reason_code == reason_codes.NOT_AUTHORIZED
    with pytest.raises(AccessRefused):
        session.publish("", "q", EMPTY, b"x")
    assert broker.queue("q").ready_count == before


def test_a_transaction_is_asked_again_at_its_commit(broker: SimulatedBroker) -> None:
    client, text = amqp(broker), stomp(broker)
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    client.publish("q", b"x")
    text.send("BEGIN", transaction="t")
    text.send("SEND", b"x", destination="/amq/queue/q", transaction="t")
    narrow(broker, write="^$")
    client.send(1, methods.TxCommit())
    assert client.expect(methods.ChannelClose).reply_code == 403
    assert [each.command for each in text.send("COMMIT", transaction="t")] == ["ERROR"]
    assert not broker.queue("q").ready_count


def test_a_transaction_goes_through_when_something_else_has_changed(broker: SimulatedBroker) -> None:
    client = amqp(broker)
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    client.publish("q", b"x")
    narrow(broker, configure="^$")
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    assert broker.queue("q").ready_count == 1


def test_a_tag_counts_as_long_as_the_user_has_it(broker: SimulatedBroker) -> None:
    broker.broker.users.set_tags(USER, ["impersonator"])
    client, text, session = amqp(broker), stomp(broker), session_of(broker, USER)
    as_other = encode_properties(user_id="other")
    client.publish("q", b"x", properties=as_other.raw)
    assert text.send("SEND", b"x", destination="/amq/queue/q", user_id="other") == []
    session.publish("", "q", as_other, b"x")
    broker.settle()
    assert broker.queue("q").ready_count == 3
    broker.broker.users.set_tags(USER, [])
    assert [each.command for each in text.send("SEND", b"x", destination="/amq/queue/q", user_id="other")] == ["ERROR"]
    client.publish("q", b"x", properties=as_other.raw)
    assert client.expect(methods.ChannelClose).reply_code == 406
    with pytest.raises(PreconditionFailed):
        session.publish("", "q", as_other, b"x")
    broker.broker.users.set_tags(USER, ["impersonator"])
    session.publish("", "q", as_other, b"x")


# What was left behind to act later


def test_a_will_is_not_published_for_a_deleted_user(broker: SimulatedBroker) -> None:
    watcher = guest(broker)
    watcher.subscribe("gone")
    mqtt(broker, will=Will("gone", b"x"))
    away = mqtt(broker, "away", will=Will("gone", b"y", 0, False, {"will_delay_interval": 10}))
    away.lose()
    delete_user(broker)
    broker.advance(20_000)
    assert watcher.take() == []
    assert not broker.mqtt.of(broker.vhost).wills


def test_a_delayed_will_is_asked_again_at_its_time(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    watcher = guest(broker)
    watcher.subscribe("gone/#")
    delayed = {"will_delay_interval": 10}
    for name in ("a", "b"):
        mqtt(broker, name, will=Will(f"gone/{name}", b"x", 0, False, delayed)).lose()  # type: ignore[arg-type]
    broker.broker.users.set_topic_permissions(USER, "/", "amq.topic", "b$", ".*")
    broker.advance(10_000)
    assert [each.topic for each in watcher.messages()] == ["gone/b"]
    assert "the will of client 'a' isn't published" in caplog.text


def test_sessions_and_subscriptions_end_with_their_user(broker: SimulatedBroker) -> None:
    device = mqtt(broker)
    device.subscribe("a", qos=1)
    device.lose()
    text = stomp(broker)
    durable = {"durable": "true", "auto_delete": "false"}
    text.send("SUBSCRIBE", destination="/topic/a", id="1", **durable)
    assert len(broker.vhost.queues) == 3
    delete_user(broker)
    assert list(broker.vhost.queues) == ["q"], "what anybody with permissions may use stays"
    broker.broker.users.add_user(USER, "secret")
    narrow(broker)
    again = MqttClient(broker)
    answer = again.connect("device", clean_start=False, username=USER, password=b"secret")
    assert not answer.session_present


def replace_user(broker: SimulatedBroker) -> None:
    """The user is deleted, and another one has the name before any slice of what goes with the first was done."""
    broker.broker.users.delete_user(USER)
    broker.broker.users.add_user(USER, "secret")
    broker.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")


@pytest.mark.parametrize("clean_start", [False, True])
@pytest.mark.parametrize("is_connected", [False, True])
def test_who_has_the_name_next_has_no_session_yet(
    broker: SimulatedBroker, *, clean_start: bool, is_connected: bool
) -> None:
    watcher = guest(broker)
    watcher.subscribe("gone")
    will = Will("gone", b"x", 0, False, {"will_delay_interval": 10})
    old = mqtt(broker, will=will)
    old.subscribe("a", qos=1)
    if not is_connected:
        old.lose()
        guest(broker, "publisher").publish("a", b"for the old one", 1)
    replace_user(broker)
    new = MqttClient(broker)
    answer = new.connect("device", clean_start=clean_start, username=USER, password=b"secret", **HOUR)
    assert not answer.reason_code
    assert not answer.session_present
    assert not new.session.subscriptions
    broker.settle()
    broker.advance(20_000)
    assert watcher.take() == [], "nor is the old one's will published by the new one's rights"
    new.subscribe("b", qos=1)
    guest(broker, "publisher").publish("b", b"y", 1)
    guest(broker, "publisher").publish("a", b"z", 1)
    assert new.take() == [b"y"]
    assert not new.session.ended, "what ends with the old user isn't the new one's"
    new.lose()
    assert mqtt(broker).session.subscriptions


def test_a_session_that_is_attached_ends_with_its_connection(broker: SimulatedBroker) -> None:
    """Also where the connection isn't among those that were closed before."""
    old = mqtt(broker)
    session = old.session
    broker.broker.users.delete_user(USER)
    for _ in rights.end_left_behind(broker.mqtt.of(broker.vhost), [USER], []):
        pass
    assert session.ended
    assert old.closed


def test_a_will_that_is_due_meanwhile_is_not_published(broker: SimulatedBroker) -> None:
    watcher = guest(broker)
    watcher.subscribe("gone")
    mqtt(broker, will=Will("gone", b"x", 0, False, {"will_delay_interval": 10})).lose()
    replace_user(broker)
    broker.mqtt.of(broker.vhost).wills.session_ended("device")
    broker.settle()
    assert watcher.take() == []


def test_who_has_the_name_next_has_no_subscription_yet(broker: SimulatedBroker) -> None:
    durable = {"durable": "true", "auto_delete": "false"}
    old = stomp(broker)
    old.send("SUBSCRIBE", destination="/topic/a", id="0", **durable)
    old.transport.lose()
    guest(broker, "publisher").publish("a", b"for the old one", 1)
    (before,) = [each for each in broker.vhost.queues.values() if each.user]
    replace_user(broker)
    new = StompClient(broker)
    login = frame("CONNECT", login=USER, passcode="secret", accept_version="1.2")
    answers = new.send_bytes(login + frame("SUBSCRIBE", destination="/topic/a", id="0", **durable))
    assert [each.command for each in answers] == ["CONNECTED"]
    (after,) = [each for each in broker.vhost.queues.values() if each.user]
    assert after is not before
    assert after.user == USER
    guest(broker, "publisher").publish("a", b"for the new one", 1)
    assert [each.body for each in new.answers()] == [b"for the new one"]


# STOMP's durable subscriptions


def test_a_durable_subscription_is_its_users(broker: SimulatedBroker) -> None:
    """Two users may choose the same id, which many do (`id:0`)."""
    durable = {"durable": "true", "auto_delete": "false"}
    alice, other = stomp(broker), stomp(broker, "guest", "guest")
    for client in (alice, other):
        assert client.send("SUBSCRIBE", destination="/topic/a", id="0", **durable) == []
    guest(broker).publish("a", b"x")
    assert [each.body for each in alice.answers()] == [b"x"]
    assert [each.body for each in other.answers()] == [b"x"]
    for client in (alice, other):
        client.transport.lose()
    guest(broker, "publisher").publish("a", b"y", 1)
    back = stomp(broker)
    assert [each.body for each in back.send("SUBSCRIBE", destination="/topic/a", id="0", **durable)] == [b"y"]
    second = stomp(broker)
    assert second.send("SUBSCRIBE", destination="/topic/a", id="0", **durable) == []
    assert len(broker.vhost.queues) == 3, "sessions of one user share it"
