"""Who guesses passwords is stopped, whatever protocol it guesses by, and by all of them together."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from tests.support.simulated_amqp10 import Amqp10Client, of
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import handshake_bytes
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_stream import StreamClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.codec.performatives import Open
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.stream.codec.keys import Code
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config

ADDRESS = "192.0.2.7"


def amqp(broker: SimulatedBroker, password: str) -> bool:
    client = broker.accept(ADDRESS)
    client.send_bytes(handshake_bytes(user="ada", password=password))
    broker.settle()
    broker.advance(broker.broker.refused_logins.delay_ms)
    return any(isinstance(each, methods.ConnectionTune) for each in client.take_methods())


def amqp10(broker: SimulatedBroker, password: str) -> bool:
    client = Amqp10Client(broker, peer_host=ADDRESS)
    client.log_in("ada", password)
    broker.advance(broker.broker.refused_logins.delay_ms)
    return not client.closed and len(of(Open, client.send(Open("test")))) == 1


def mqtt3(broker: SimulatedBroker, password: str) -> bool:
    client = MqttClient(broker, versions.V3_1_1, peer_host=ADDRESS)
    return client.connect(username="ada", password=password.encode()).reason_code == 0


def mqtt5(broker: SimulatedBroker, password: str) -> bool:
    client = MqttClient(broker, versions.V5, peer_host=ADDRESS)
    return client.connect(username="ada", password=password.encode()).reason_code == 0


def stomp(broker: SimulatedBroker, password: str) -> bool:
    client = StompClient(broker, peer_host=ADDRESS)
    answers = client.send("CONNECT", accept_version="1.2", login="ada", passcode=password, host="/")
    broker.advance(broker.broker.refused_logins.delay_ms)
    return [each.command for each in answers] == ["CONNECTED"]


def stream(broker: SimulatedBroker, password: str) -> bool:
    client = StreamClient(broker, peer_host=ADDRESS)
    answers = client.log_in("ada", password)
    return bool(answers[0].code == Code.OK)


PROTOCOLS: dict[str, Callable[[SimulatedBroker, str], bool]] = {
    "AMQP 0-9-1": amqp,
    "AMQP 1.0": amqp10,
    "MQTT 3.1.1": mqtt3,
    "MQTT 5": mqtt5,
    "STOMP": stomp,
    "streams": stream,
}


@pytest.fixture
def broker() -> SimulatedBroker:
    simulated = SimulatedBroker()
    simulated.broker.users.add_user("ada", "right")
    simulated.broker.users.set_permissions("ada", "/", ".*", ".*", ".*")
    simulated.broker.guessing.failures_max = 3
    simulated.broker.refused_logins.delay_ms = 10
    world_of(simulated.broker)
    return simulated


@pytest.mark.parametrize("log_in", PROTOCOLS.values(), ids=PROTOCOLS)
def test_after_some_failures_the_right_password_is_refused_too(
    broker: SimulatedBroker, log_in: Callable[[SimulatedBroker, str], bool]
) -> None:
    assert log_in(broker, "right")
    for _ in range(3):
        assert not log_in(broker, "wrong")
    assert not log_in(broker, "right")
    broker.advance(60_000)
    assert log_in(broker, "right")


def test_failures_of_all_protocols_count_together(broker: SimulatedBroker) -> None:
    for name in ("AMQP 0-9-1", "MQTT 5", "STOMP"):
        assert not PROTOCOLS[name](broker, "wrong")
    for name, log_in in PROTOCOLS.items():
        assert not log_in(broker, "right"), name


def test_others_are_let_in_meanwhile(broker: SimulatedBroker) -> None:
    for _ in range(3):
        assert not amqp(broker, "wrong")
    client = StompClient(broker)
    answers = client.send("CONNECT", accept_version="1.2", login="ada", passcode="right", host="/")
    assert [each.command for each in answers] == ["CONNECTED"], "from another address"


async def test_over_http_and_by_a_protocol_together() -> None:
    import trio

    config = Config(in_memory=True, plugins=("management",)).replace(
        failed_logins_per_minute_max=3, refused_login_delay_s=0.0
    )

    async def status(port: int, password: str) -> int:
        login = base64.b64encode(f"guest:{password}".encode()).decode()
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            head = f"GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n"
            await stream.send_all(f"{head}Connection: close\r\n\r\n".encode())
            answer = b"".join([chunk async for chunk in stream])
        return int(answer.split()[1])

    async with open_broker(listen=["http=127.0.0.1:0"], config=config) as broker:
        port = broker.address("http")[1]
        assert await status(port, "guest") == 200
        assert [await status(port, "wrong") for _ in range(3)] == [401] * 3
        assert await status(port, "guest") == 401
