"""Enhanced authentication by SCRAM: logging in, and proving it again while messages come and go (MQTT 5 4.12)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.adapters.mqtt.scram_peer import METHOD, final, first
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck

CONTINUE = reason_codes.CONTINUE_AUTHENTICATION
AGAIN = reason_codes.REAUTHENTICATE


def auth(code: int, data: bytes, method: str = METHOD) -> Auth:
    return Auth(code, {"authentication_method": method, "authentication_data": data})


def begin(simulated: SimulatedBroker, user: str = "guest") -> tuple[MqttClient, bytes]:
    """A client that has been given its challenge."""
    made = MqttClient(simulated)
    properties: Any = {"authentication_method": METHOD, "authentication_data": first(user)}
    answer = only(Auth, made.send(Connect("c", versions.V5, properties=properties)))
    assert answer.reason_code == CONTINUE
    assert answer.properties["authentication_method"] == METHOD
    return made, answer.properties["authentication_data"]


def refusal(client: MqttClient, packets: list[Packet]) -> ConnAck:
    """The CONNACK that comes late."""
    assert packets == [], "a refused login is answered late"
    assert not client.closed
    client.simulated.advance(client.simulated.broker.refused_logins.delay_ms)
    assert client.closed
    return only(ConnAck, client.packets())


def logged_in(simulated: SimulatedBroker) -> MqttClient:
    made, challenge = begin(simulated)
    answer = only(ConnAck, made.send(auth(CONTINUE, final(challenge))))
    assert answer.reason_code == 0
    assert answer.properties["authentication_method"] == METHOD
    assert answer.properties["authentication_data"].startswith(b"v=")
    return made


def test_logging_in(simulated: SimulatedBroker) -> None:
    made = logged_in(simulated)
    assert only(SubAck, made.subscribe("t")).reason_codes == (0,)
    assert made.running.client.user.name == "guest"


@pytest.mark.parametrize(("user", "password"), [("guest", b"wrong"), ("nobody", b"guest"), ("guest", b"")])
def test_a_proof_that_is_wrong(simulated: SimulatedBroker, user: str, password: bytes) -> None:
    made, challenge = begin(simulated, user)
    answers = made.send(auth(CONTINUE, final(challenge, password, user)))
    assert refusal(made, answers).reason_code == reason_codes.NOT_AUTHORIZED


def test_a_challenge_for_somebody_who_is_not_there_looks_like_any(simulated: SimulatedBroker) -> None:
    salts = set()
    for _ in range(2):
        _, challenge = begin(simulated, "nobody")
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        assert set(fields) == {"r", "s", "i"}
        salts.add(fields["s"])
    assert len(salts) == 1, "a salt that changes would tell that there is no such user"


def test_a_proof_does_not_count_for_another_challenge(simulated: SimulatedBroker) -> None:
    _, challenge = begin(simulated)
    made, _ = begin(simulated)
    answers = made.send(auth(CONTINUE, final(challenge)))
    assert refusal(made, answers).reason_code == reason_codes.NOT_AUTHORIZED


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", b"n,,n=guest", b"p=tls-unique,,n=guest,r=x", b"\xff\xfe", b"n,,n=,r=x", b"n,,r=x,n=guest"],
)
def test_a_first_message_that_is_none(simulated: SimulatedBroker, data: bytes) -> None:
    made = MqttClient(simulated)
    properties: Any = {"authentication_method": METHOD, "authentication_data": data}
    answers = made.send(Connect("c", versions.V5, properties=properties))
    assert refusal(made, answers).reason_code == reason_codes.NOT_AUTHORIZED


def test_leaving_before_it_is_through(simulated: SimulatedBroker) -> None:
    made, _ = begin(simulated)
    assert made.send(Disconnect()) == []
    assert made.closed
    assert not simulated.broker.sessions


def test_who_does_not_go_on_is_not_waited_for(simulated: SimulatedBroker) -> None:
    made, _ = begin(simulated)
    simulated.advance(made.connection.settings.login_timeout_ms)
    assert made.closed
    assert not simulated.mqtt.of(simulated.vhost).sessions


def test_an_unknown_method(simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated)
    answer = made.connect("c", authentication_method="GS2-KRB5")
    assert answer.reason_code == reason_codes.BAD_AUTHENTICATION_METHOD
    assert made.closed


def test_proving_it_again_while_messages_come_and_go(simulated: SimulatedBroker, client: Connected) -> None:
    made, publisher = logged_in(simulated), client("p")
    made.subscribe("t", qos=1)
    for _ in range(2):
        challenge = only(Auth, made.send(auth(AGAIN, first()))).properties["authentication_data"]
        made.publish("other", b"too", 1)
        publisher.publish("t", b"meanwhile", 1)
        assert made.take() == [b"meanwhile"]
        done = only(Auth, made.send(auth(CONTINUE, final(challenge))))
        assert done.reason_code == reason_codes.SUCCESS
        assert done.properties["authentication_data"].startswith(b"v=")


@pytest.mark.parametrize("user", ["guest", "other"])
def test_failing_to_prove_it_again_ends_the_connection(simulated: SimulatedBroker, user: str) -> None:
    simulated.broker.users.add_user("other", "secret")
    simulated.broker.users.verifiers.make("other", "secret")
    made = logged_in(simulated)
    challenge = only(Auth, made.send(auth(AGAIN, first(user)))).properties["authentication_data"]
    proof = final(challenge, b"secret" if user == "other" else b"wrong", user)
    assert only(Disconnect, made.send(auth(CONTINUE, proof))).reason_code == reason_codes.NOT_AUTHORIZED
    assert made.closed
    assert not simulated.broker.sessions


@pytest.mark.parametrize("code", [CONTINUE, AGAIN])
def test_another_method_than_at_the_login(simulated: SimulatedBroker, code: int) -> None:
    made = logged_in(simulated)
    assert only(Disconnect, made.send(auth(code, first(), "PLAIN"))).reason_code == reason_codes.PROTOCOL_ERROR


def test_going_on_with_what_was_not_begun(simulated: SimulatedBroker) -> None:
    made = logged_in(simulated)
    assert only(Disconnect, made.send(auth(CONTINUE, first()))).reason_code == reason_codes.PROTOCOL_ERROR


def test_a_will_is_there_only_after_the_login(simulated: SimulatedBroker, client: Connected) -> None:
    watcher = client("w")
    watcher.subscribe("#")
    made, _ = begin(simulated)
    made.lose()
    assert [each for each in watcher.packets() if isinstance(each, Publish)] == []
