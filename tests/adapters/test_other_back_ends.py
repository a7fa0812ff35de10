"""Users whom another back-end knows, in every protocol: what waits for its answers, what ends, and what doesn't.

Longer than 400 lines because all protocols are looked at side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes, publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import Disconnect, Publish, SubAck, Subscribe, Subscription, Will
from warren.core.access.questions import Login, MayEnter, MayUse, MayUseTopic
from warren.core.administration import operations

USER, PASSWORD = "alice", "secret"


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    yield simulated
    simulated.close()


@pytest.fixture
def table(broker: SimulatedBroker) -> TableBackEnd:
    """Alice may do everything; answers come in later turns."""
    back_end = TableBackEnd()
    back_end.users[USER] = TableUser(PASSWORD, everything=True)
    back_end.answers_later(broker.broker)
    use_chain(broker.broker, None, back_end)
    return back_end


def amqp(broker: SimulatedBroker, user: str = USER, password: str = PASSWORD) -> SimulatedClient:
    client = broker.accept()
    client.handshake(user=user, password=password)
    client.open()
    return client


def answer_all(broker: SimulatedBroker, table: TableBackEnd) -> None:
    for _ in range(1000):
        broker.settle()
        if not table.waiting:
            return
        table.answer()
    raise AssertionError("it is asked for ever")


# Waiting


def test_what_follows_waits_in_order_and_the_socket_isnt_read(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.declare("q")
    client.consume("q", "tag", no_ack=True)
    table.answers_when_told()
    bodies = [str(number).encode() for number in range(5)]
    client.send_bytes(b"".join(publish_frames("q", body) for body in bodies))
    broker.settle()
    assert client.transport.paused
    assert client.take() == []
    other = amqp(broker, "guest", "guest")
    assert other.declare("own").queue == "own", "nobody else waits"
    answer_all(broker, table)
    assert not client.transport.paused
    assert client.take_bodies() == bodies


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_however_bytes_are_cut(broker: SimulatedBroker, table: TableBackEnd, size: int) -> None:
    client = broker.accept()
    data = handshake_bytes(user=USER, password=PASSWORD)
    data += methods.encode_frame(1, methods.ChannelOpen())
    data += methods.encode_frame(1, methods.QueueDeclare(queue="q"))
    data += publish_frames("q", b"a" * 5000) + publish_frames("q", b"b")
    for start in range(0, len(data), size):
        client.send_bytes(data[start : start + size])
        if start % 5 == 0:
            broker.settle()
    broker.settle()
    assert broker.queue("q").ready_count == 2
    assert len(set(table.asked)) == len(table.asked), "nothing is asked twice"


def test_a_connection_that_is_lost_while_it_waits_leaves_nothing(broker: SimulatedBroker, table: TableBackEnd) -> None:
    table.answers_when_told()
    timers = broker.timers
    clients = [broker.accept() for _ in range(3)]
    for client in clients:
        client.send_bytes(handshake_bytes(user=USER, password=PASSWORD))
    mqtt, stomp = MqttClient(broker), StompClient(broker)
    mqtt.transport.receive(bytes.fromhex("1017") + b"\x00\x04MQTT\x05\xc0\x00\x00\x00\x00\x00\x00\x05alice"[:23])
    stomp.transport.receive(frame("CONNECT", accept_version="1.2", login=USER, passcode=PASSWORD, host="/"))
    broker.settle()
    assert table.waiting
    for client in clients:
        client.lose()
    mqtt.transport.lose()
    stomp.transport.lose()
    answer_all(broker, table)
    broker.settle()
    assert not broker.broker.sessions
    assert broker.timers <= timers + 1


def test_several_who_ask_the_same_wait_for_one_answer(broker: SimulatedBroker, table: TableBackEnd) -> None:
    table.answers_when_told()
    clients = [broker.accept() for _ in range(10)]
    for client in clients:
        client.send_bytes(handshake_bytes(user=USER, password=PASSWORD))
    broker.settle()
    assert table.waiting == 1
    answer_all(broker, table)
    for client in clients:
        assert client.take_methods()[-1] == methods.ConnectionOpenOk()
    assert len(table.asked) == 2


@pytest.mark.parametrize("ttl_ms", [1, 60_000])
@pytest.mark.parametrize("size_max", [1, 1000])
def test_a_command_that_needs_many_answers_comes_to_its_end(
    broker: SimulatedBroker, table: TableBackEnd, ttl_ms: int, size_max: int
) -> None:
    answers = broker.broker.users.answers
    answers.ttl_ms, answers.size_max = ttl_ms, size_max
    client = MqttClient(broker)
    client.connect(username=USER, password=PASSWORD.encode())
    filters = tuple(Subscription(f"a/{number}", 0) for number in range(50))
    (answer,) = client.send(Subscribe(1, filters, {}))
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == (0,) * 50


def test_names_that_the_broker_makes_up_are_asked_for_once(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    name = client.declare("").queue
    asked = [each.name for each in table.asked if isinstance(each, MayUse) and each.verb == "configure"]
    assert asked == [name]
    stomp = StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")
    stomp.send("SUBSCRIBE", destination="/topic/a", id="1")
    asked = [each.name for each in table.asked if isinstance(each, MayUse) and each.name.startswith("stomp-")]
    assert len(asked) == 3
    assert len(set(asked)) == 1
    assert set(asked) <= set(broker.vhost.queues)


def test_a_transaction_that_has_to_ask_again(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.declare("q")
    client.send(1, methods.TxSelect())
    for number in range(3):
        client.publish("q", str(number).encode())
    client.take()
    broker.broker.users.ask_anew()
    table.users[USER].everything = False
    client.send(1, methods.TxCommit())
    assert client.expect(methods.ChannelClose).reply_code == 403
    assert not broker.queue("q").ready_count


def test_a_stomp_transaction_that_has_to_ask_again(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/queue/q", transaction="t")
    broker.broker.users.ask_anew()
    (answer,) = client.send("COMMIT", transaction="t", receipt="done")
    assert answer.command == "RECEIPT"
    assert broker.queue("q").ready_count == 1


def test_the_fast_path_asks_nothing(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.declare("q")
    client.publish("q", b"first")
    broker.settle()
    table.asked.clear()
    for _ in range(100):
        client.publish("q", b"more")
    broker.settle()
    assert table.asked == []
    assert broker.queue("q").ready_count == 101


# The chain


def test_the_first_who_says_yes_counts(broker: SimulatedBroker) -> None:
    first, second = TableBackEnd("first"), TableBackEnd("second")
    second.users[USER] = TableUser(PASSWORD, everything=True)
    use_chain(broker.broker, None, first, second)
    amqp(broker)
    assert [type(each) for each in first.asked] == [Login]
    assert [type(each) for each in second.asked] == [Login, MayEnter]
    amqp(broker, "guest", "guest")
    assert len(first.asked) == 1, "the broker's own were asked before"


def test_one_that_is_broken_is_passed_over(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    first, second = TableBackEnd("first"), TableBackEnd("second")
    first.broken = True
    second.users[USER] = TableUser(PASSWORD, everything=True)
    use_chain(broker.broker, first, second)
    amqp(broker)
    client = broker.accept()
    client.send_bytes(handshake_bytes(user=USER, password="wrong"))
    broker.settle()
    assert "first: it is broken; second: the table says no" in caplog.text


def test_all_who_are_asked_for_rights_have_to_allow(broker: SimulatedBroker) -> None:
    broker.broker.users.add_user(USER, PASSWORD)
    broker.broker.users.set_permissions(USER, "/", "^a", ".*", ".*")
    table = TableBackEnd()
    table.users[USER] = TableUser(
        PASSWORD, rights={("vhost", "/"), ("configure", "queue", "a"), ("configure", "queue", "b")}
    )
    use_chain(broker.broker, (None, [None, table]))
    client = amqp(broker)
    client.declare("a")
    for name in ("b", "ab"):
        client = amqp(broker)
        client.send(1, methods.QueueDeclare(queue=name))
        assert client.expect(methods.ChannelClose).reply_code == 403


def test_who_authenticates_elsewhere_has_to_be_here(broker: SimulatedBroker) -> None:
    table = TableBackEnd()
    table.users[USER] = TableUser(PASSWORD)
    use_chain(broker.broker, (table, [None]))
    client = broker.accept()
    client.send_bytes(handshake_bytes(user=USER, password=PASSWORD))
    broker.settle()
    broker.advance(broker.broker.refused_logins.delay_ms)
    assert client.take_methods()[-1] != methods.ConnectionOpenOk()
    broker.broker.users.add_user_hash(USER, "", None)
    broker.broker.users.set_permissions(USER, "/", ".*", ".*", ".*")
    amqp(broker).declare("q")


def test_loopback_users_are_so_by_name(broker: SimulatedBroker) -> None:
    table = TableBackEnd()
    table.users["guest"] = TableUser(PASSWORD, everything=True)
    use_chain(broker.broker, table)
    answer = MqttClient(broker, peer_host="10.0.0.1").connect(username="guest", password=PASSWORD.encode())
    assert answer.reason_code == 0x87
    assert MqttClient(broker).connect(username="guest", password=PASSWORD.encode()).reason_code == 0


# Failures


def test_what_a_broken_back_end_ends(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client, mqtt = amqp(broker), MqttClient(broker)
    client.declare("q")
    client.consume("q", "tag")
    mqtt.connect(username=USER, password=PASSWORD.encode())
    mqtt.send(Subscribe(1, (Subscription("a/#", 0),), {}))
    table.broken = True
    broker.broker.users.ask_anew()
    broker.broker.rechecks.begin()
    broker.settle()
    assert client.connection.state == "running", "nobody is thrown out"
    assert not mqtt.closed
    assert len(list(broker.queue("q").consumers)) == 1
    client.publish("q", b"")
    closed = client.expect(methods.ChannelClose)
    assert closed.reply_code == 403
    assert closed.reply_text.endswith("refused for user 'alice', backend table returned an error")
    table.broken = False
    client.send(1, methods.ChannelCloseOk())
    client.open()
    client.publish("q", b"again")
    broker.settle()
    assert broker.queue("q").ready_count == 1


# Rights that are withdrawn


def deny(table: TableBackEnd, *kept: Atom) -> None:
    table.users[USER].everything = False
    table.users[USER].rights = set(kept)


def wait(broker: SimulatedBroker) -> None:
    """Until what is kept has been looked at again."""
    ttl_ms = broker.broker.users.answers.ttl_ms
    broker.advance(ttl_ms + 1)
    broker.advance(ttl_ms + 1)


def by_word(broker: SimulatedBroker) -> None:
    operations.users.ask_anew(broker.broker)
    broker.settle()


def by_word_about_alice(broker: SimulatedBroker) -> None:
    operations.users.ask_anew(broker.broker, USER)
    broker.settle()


WAYS: Mapping[str, Callable[[SimulatedBroker], None]] = {
    "in time": wait,
    "by clear_auth_cache": by_word,
    "by clear_auth_cache USER": by_word_about_alice,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_virtual_host_that_is_denied_closes_connections(
    broker: SimulatedBroker, table: TableBackEnd, way: Callable[[SimulatedBroker], None]
) -> None:
    client, mqtt = amqp(broker), MqttClient(broker)
    mqtt.connect(username=USER, password=PASSWORD.encode())
    stomp = StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")
    other = amqp(broker, "guest", "guest")
    deny(table)
    way(broker)
    closed = client.expect(methods.ConnectionClose, 0)
    assert (closed.reply_code, closed.reply_text) == (
        320,
        "CONNECTION_FORCED - access to vhost '/' is withdrawn from user 'alice'",
    )
    (goodbye,) = mqtt.packets()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.reason_code == 0x98
    (error,) = stomp.answers()
    assert error["message"] == "connection_forced"
    assert other.connection.state == "running"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_reading_that_is_denied_ends_consumers(
    broker: SimulatedBroker, table: TableBackEnd, way: Callable[[SimulatedBroker], None]
) -> None:
    client, mqtt = amqp(broker), MqttClient(broker)
    client.declare("q")
    client.consume("q", "tag")
    mqtt.connect(username=USER, password=PASSWORD.encode())
    mqtt.send(Subscribe(1, (Subscription("a/#", 0),), {}))
    deny(table, ("vhost", "/"))
    way(broker)
    assert client.expect(methods.BasicCancel).consumer_tag == "tag"
    (goodbye,) = mqtt.packets()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.reason_code == 0x87
    assert client.connection.state == "running"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_publishing_that_is_denied_is_refused(
    broker: SimulatedBroker, table: TableBackEnd, way: Callable[[SimulatedBroker], None]
) -> None:
    client = amqp(broker)
    client.declare("q")
    for _ in range(3):
        client.publish("q", b"")
    broker.settle()
    deny(table, ("vhost", "/"), ("read", "queue", "q"))
    way(broker)
    client.publish("q", b"")
    assert client.expect(methods.ChannelClose).reply_code == 403
    assert broker.queue("q").ready_count == 3


def test_while_nobody_is_connected_nothing_is_looked_at(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.close()
    wait(broker)
    timers = broker.timers
    table.asked.clear()
    wait(broker)
    assert table.asked == []
    assert broker.timers == timers == 0


def test_a_session_that_comes_back_brings_only_what_may_be_read(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = MqttClient(broker)
    client.connect(username=USER, password=PASSWORD.encode(), session_expiry_interval=3600)
    client.send(Subscribe(1, (Subscription("a", 0), Subscription("b", 0)), {}))
    client.transport.lose()
    broker.settle()
    own = "mqtt-subscription-client"
    deny(
        table,
        ("vhost", "/"),
        ("read", "queue", own),
        ("read", "exchange", "amq.topic"),
        ("read", "topic", "amq.topic", "b"),
    )
    wait(broker)
    back = MqttClient(broker)
    answer = back.connect(username=USER, password=PASSWORD.encode(), clean_start=False, session_expiry_interval=3600)
    assert answer.session_present
    assert list(back.running.session.subscriptions) == ["b"]


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("delay_s", [0, 60])
def test_a_will_is_asked_about_when_it_is_published(
    broker: SimulatedBroker, table: TableBackEnd, allowed: bool, delay_s: int
) -> None:
    listener = MqttClient(broker)
    listener.connect("listener", username="guest", password=b"guest")
    listener.send(Subscribe(1, (Subscription("gone", 0),), {}))
    client = MqttClient(broker)
    will = Will("gone", b"!", 0, False, {"will_delay_interval": delay_s} if delay_s else {})
    client.connect(username=USER, password=PASSWORD.encode(), will=will, session_expiry_interval=3600)
    if not allowed:
        deny(table, ("vhost", "/"))
    broker.broker.users.ask_anew()
    client.transport.lose()
    broker.settle()
    broker.advance(delay_s * 1000)
    assert [type(each) for each in listener.packets()] == ([Publish] if allowed else [])


# What expires


def expiring(broker: SimulatedBroker, table: TableBackEnd, seconds: int) -> None:
    table.users[USER].expires_at_ms = broker.broker.now_ms + seconds * 1000


def test_connections_end_with_what_was_logged_in_with(broker: SimulatedBroker, table: TableBackEnd) -> None:
    expiring(broker, table, 60)
    client, mqtt = amqp(broker), MqttClient(broker)
    mqtt.connect(username=USER, password=PASSWORD.encode())
    stomp = StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")
    broker.advance(59_999)
    assert client.connection.state == "running"
    broker.advance(1)
    assert client.expect(methods.ConnectionClose, 0).reply_code == 320
    (goodbye,) = mqtt.packets()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.reason_code == 0xA0
    (error,) = stomp.answers()
    assert b"the credentials of the connection have expired" in error.body


def test_a_new_secret_prolongs_it(broker: SimulatedBroker, table: TableBackEnd) -> None:
    expiring(broker, table, 60)
    client = amqp(broker)
    broker.advance(50_000)
    table.users[USER].password = "newer"
    expiring(broker, table, 60)
    client.send(0, methods.ConnectionUpdateSecret(b"newer", "soon over"))
    assert client.expect(methods.ConnectionUpdateSecretOk, 0)
    broker.advance(59_999)
    assert client.connection.state == "running"
    broker.advance(1)
    assert client.expect(methods.ConnectionClose, 0).reply_code == 320


def test_a_new_secret_that_is_refused_closes_the_connection(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.send(0, methods.ConnectionUpdateSecret(b"wrong", "because"))
    closed = client.expect(methods.ConnectionClose, 0)
    assert (closed.reply_code, closed.reply_text) == (
        530,
        "NOT_ALLOWED - New secret was refused by one of the backends",
    )


def test_rights_that_a_new_secret_lacks_end(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker)
    client.declare("q")
    client.consume("q", "tag")
    table.users[USER].password = "newer"
    deny(table, ("vhost", "/"))
    broker.broker.users.answers.clear()
    client.send(0, methods.ConnectionUpdateSecret(b"newer", "less"))
    assert client.expect(methods.ConnectionUpdateSecretOk, 0)
    assert client.expect(methods.BasicCancel).consumer_tag == "tag"


def test_own_users_may_send_a_new_secret(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = amqp(broker, "guest", "guest")
    client.send(0, methods.ConnectionUpdateSecret(b"anything", "because"))
    assert client.expect(methods.ConnectionUpdateSecretOk, 0)


# What is asked, and what is kept


def test_what_each_protocol_says_of_a_login(broker: SimulatedBroker, table: TableBackEnd) -> None:
    amqp(broker)
    MqttClient(broker).connect("device", username=USER, password=PASSWORD.encode())
    StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")
    logins = [each for each in table.asked if isinstance(each, Login)]
    assert [each.properties for each in logins] == [(), (("vhost", "/"), ("client_id", "device"))]
    assert all(f"{PASSWORD!r}" not in repr(each) for each in table.asked)


def test_variables_of_topics(broker: SimulatedBroker, table: TableBackEnd) -> None:
    client = MqttClient(broker)
    client.connect("device", username=USER, password=PASSWORD.encode())
    client.send(Publish("a/b", b"", 0, 0, False, False, {}))
    (topic,) = [each for each in table.asked if isinstance(each, MayUseTopic)]
    assert dict(topic.variables) == {"client_id": "device", "username": USER, "vhost": "/"}
    assert (topic.exchange, topic.routing_key, topic.verb) == ("amq.topic", "a.b", "write")


@pytest.mark.parametrize("kept", [False, True])
def test_refusals_are_kept_only_if_wanted(broker: SimulatedBroker, table: TableBackEnd, kept: bool) -> None:
    broker.broker.users.answers.cache_refusals = kept
    deny(table, ("vhost", "/"))
    client = amqp(broker)
    for _ in range(3):
        client.publish("q", b"")
        client.expect(methods.ChannelClose)
        client.send(1, methods.ChannelCloseOk())
        client.open()
    asked = [each for each in table.asked if isinstance(each, MayUse)]
    assert len(asked) == (1 if kept else 3)


def test_no_more_than_so_many_answers_are_kept(broker: SimulatedBroker, table: TableBackEnd) -> None:
    answers = broker.broker.users.answers
    answers.size_max = 100
    client = amqp(broker)
    for number in range(500):
        client.publish(f"key {number}", b"", exchange="amq.topic")
    broker.settle()
    assert len(answers) <= 100
