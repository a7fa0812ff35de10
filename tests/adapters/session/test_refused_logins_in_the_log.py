"""A refused login is one line of the log with the user and the reason, whatever protocol it came by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.framing import SASL_FRAME, SASL_HEADER
from warren.adapters.amqp10.codec.framing import frame as frame_of_sasl
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect

ELSEWHERE = "10.0.0.1"
LATE_MS = 60_000


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    caplog.set_level("INFO")
    broker = SimulatedBroker()
    broker.broker.users.add_user("nobody", "secret")
    yield broker
    broker.close()


def log_in(
    broker: SimulatedBroker, protocol: str, user: str, password: str, vhost: str = "/", peer: str = "127.0.0.1"
) -> None:
    if protocol == "amqp":
        client = broker.accept(peer)
        client.send_bytes(handshake_bytes(user=user, password=password, vhost=vhost))
    elif protocol == "stomp":
        StompClient(broker, peer_host=peer).send_bytes(
            frame("CONNECT", accept_version="1.2", host=vhost, login=user, passcode=password)
        )
    else:
        level = versions.V5 if protocol == "mqtt 5" else versions.V3_1_1
        name = user if vhost == "/" else f"{vhost}:{user}"
        packet = Connect(level=level, client_id="c", username=name, password=password.encode())
        MqttClient(broker, level, peer_host=peer).send_bytes(encode(packet, level))
    broker.settle()
    broker.advance(LATE_MS)


PROTOCOLS = ["amqp", "stomp", "mqtt 3.1.1", "mqtt 5"]

REFUSALS = {
    "a wrong password": (("guest", "wrong"), {}, ["invalid credentials", "ccess refused"]),
    "an unknown user": (("stranger", "secret"), {}, ["invalid credentials", "ccess refused"]),
    "from elsewhere": (("guest", "guest"), {"peer": ELSEWHERE}, ["only connect via localhost", "own machine"]),
    "no permissions": (("nobody", "secret"), {}, ["refused for user", "no permissions"]),
    "no such virtual host": (("nobody", "secret"), {"vhost": "nowhere"}, ["nowhere"]),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("login", "more", "reasons"), REFUSALS.values(), ids=REFUSALS.keys())
def test_the_line_says_who_and_why(
    broker: SimulatedBroker,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    login: tuple[str, str],
    more: dict[str, str],
    reasons: list[str],
) -> None:
    log_in(broker, protocol, *login, **more)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1, lines
    assert f"'{login[0]}'" in lines[0]
    assert any(reason in lines[0] for reason in reasons), lines[0]
    assert "logfile" not in caplog.text
    assert login[1] not in lines[0] or login[1] == login[0], "no password in the log"


def test_a_proof_of_scram_that_fails_says_whose_it_was(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = Amqp10Client(broker)
    client.send_bytes(SASL_HEADER)
    for body in (init("SCRAM-SHA-256", b"n,,n=guest,r=abc"), response(b"c=biws,r=wrong,p=AAAA")):
        client.send_bytes(frame_of_sasl(0, body, SASL_FRAME))
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "SCRAM-SHA-256 login refused: the authentication of user 'guest' failed" in line


def init(mechanism: str, initial: bytes) -> sasl.SaslInit:
    found = sasl.SaslInit()
    found.mechanism = mechanism
    found.initial_response = initial
    return found


def response(data: bytes) -> sasl.SaslResponse:
    found = sasl.SaslResponse()
    found.response = data
    return found
