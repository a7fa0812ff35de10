"""Every protocol counts each login once, when it is known what became of it (core.clients.login_attempts)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.other_back_ends import TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import Auth, ConnAck, Connect
from warren.adapters.mqtt.codec.properties import Properties
from warren.core.clients.login_attempts import Source, Tried

LABELS = {"amqp": "amqp091", "stomp": "stomp", "mqtt": "mqtt"}

PEER = "127.0.0.1"


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    simulated.broker.login_attempts.tracks_sources = True
    simulated.broker.refused_logins.delay_ms = 0
    yield simulated
    simulated.close()


def log_in(broker: SimulatedBroker, protocol: str, user: str, password: str, vhost: str = "/") -> None:
    if protocol == "amqp":
        broker.accept().send_bytes(handshake_bytes(user=user, password=password, vhost=vhost))
    elif protocol == "stomp":
        headers = {"accept_version": "1.2", "host": vhost, "login": user, "passcode": password}
        StompClient(broker).send_bytes(frame("CONNECT", **headers))
    else:
        name = user if vhost == "/" else f"{vhost}:{user}"
        MqttClient(broker).send(Connect(client_id="c", username=name, password=password.encode()))
    broker.settle()


@pytest.mark.parametrize("protocol", LABELS)
def test_right_and_wrong(broker: SimulatedBroker, protocol: str) -> None:
    for password in ("guest", "wrong", "guest"):
        log_in(broker, protocol, "guest", password)
    log_in(broker, protocol, "nobody", "guest")
    label, attempts = LABELS[protocol], broker.broker.login_attempts
    assert attempts.by_protocol == {label: Tried(2, 2)}
    assert attempts.by_source == {Source(label, PEER, "guest"): Tried(2, 1), Source(label, PEER, "nobody"): Tried(0, 1)}


@pytest.mark.parametrize(("protocol", "tried"), [("amqp", Tried(1, 0)), ("stomp", Tried(0, 1)), ("mqtt", Tried(0, 1))])
def test_a_virtual_host_that_isnt_the_users(broker: SimulatedBroker, protocol: str, tried: Tried) -> None:
    """With AMQP the login is over before it is asked for, as in RabbitMQ."""
    log_in(broker, protocol, "guest", "guest", "nowhere")
    assert broker.broker.login_attempts.by_protocol == {LABELS[protocol]: tried}


@pytest.mark.parametrize("protocol", LABELS)
def test_however_many_questions_it_takes(broker: SimulatedBroker, protocol: str) -> None:
    table = TableBackEnd()
    table.users["alice"] = TableUser("secret", everything=True)
    table.answers_later(broker.broker)
    use_chain(broker.broker, table)
    log_in(broker, protocol, "alice", "secret")
    log_in(broker, protocol, "alice", "wrong")
    assert broker.broker.login_attempts.by_protocol == {LABELS[protocol]: Tried(1, 1)}
    assert len(table.asked) >= 3


def test_a_mechanism_that_cant_vouch_for_anybody(broker: SimulatedBroker) -> None:
    client: SimulatedClient = broker.accept()
    client.send_bytes(b"AMQP\x00\x00\x09\x01")
    client.send(0, methods.ConnectionStartOk({}, "EXTERNAL", b"", "en_US"))
    assert client.expect(methods.ConnectionClose, channel=0).reply_code == 403
    assert broker.broker.login_attempts.by_protocol == {"amqp091": Tried(0, 1)}


def test_an_exchange_of_several_packets_that_proves_nothing(broker: SimulatedBroker) -> None:
    client = MqttClient(broker)
    properties: Properties = {"authentication_method": "SCRAM-SHA-256", "authentication_data": b"n,,n=guest,r=abcdefgh"}
    (question,) = client.send(Connect(client_id="c", username="guest", properties=properties))
    assert isinstance(question, Auth)
    assert broker.broker.login_attempts.by_protocol == {}
    nonce = question.properties["authentication_data"].split(b",")[0]
    proof: Properties = {**properties, "authentication_data": b"c=biws," + nonce + b",p=" + b"A" * 43 + b"="}
    (answer,) = client.send(Auth(0x18, proof))
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == 0x87
    assert broker.broker.login_attempts.by_source == {Source("mqtt", PEER, "guest"): Tried(0, 1)}


@pytest.mark.parametrize("protocol", ["stomp", "mqtt"])
def test_what_is_wrong_otherwise_is_no_login(broker: SimulatedBroker, protocol: str) -> None:
    if protocol == "stomp":
        StompClient(broker).send_bytes(frame("CONNECT", accept_version="9.9", login="guest", passcode="guest"))
    else:
        MqttClient(broker).send(Connect(client_id="c", properties={"authentication_method": "unheard of"}))
    broker.settle()
    assert broker.broker.login_attempts.by_protocol == {}
