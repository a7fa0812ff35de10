"""The phase before a client is logged in, without a connection: what comes of a CONNECT and of the AUTHs behind it."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.scram_peer import METHOD, final, first
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.agreed import agree, client_id_of
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth, Connect, Will
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.logging_in import Entrance
from warren.adapters.mqtt.login import Admitted, Login
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.settings import MqttSettings


class Door:
    """Where one client comes in.  expired: when it was sent away for taking too long."""

    def __init__(self, simulated: SimulatedBroker, settings: MqttSettings | None = None) -> None:
        self.broker = simulated.broker
        self.settings = settings or MqttSettings()
        self.transport = SimulatedTransport()
        self.expired: list[int] = []
        entrance = Entrance(self.broker, self.transport, self.settings)
        self.login = Login(entrance, world_of(self.broker), self.expired.append)

    def connect(self, packet: Connect) -> Admitted | Auth:
        """A CONNECT comes."""
        return self.login.connect(packet, agree(packet, self.settings), client_id_of(packet))

    def admitted(self, packet: Connect) -> Admitted:
        """The same, where that is all there is to it."""
        step = self.connect(packet)
        assert isinstance(step, Admitted)
        return step

    def refused(self, packet: Connect) -> Refusal:
        """Why a CONNECT isn't taken; nobody is left behind."""
        with pytest.raises(Refusal) as refused:
            self.connect(packet)
        assert self.broker.client_count == self.broker.channel_count == 0
        return refused.value


def test_a_client_is_admitted_and_counted(simulated: SimulatedBroker) -> None:
    door = Door(simulated)
    packet = Connect("c", username="guest", password=b"guest", will=Will("gone", b"x", 1))
    admitted = door.admitted(packet)
    client = admitted.client
    assert (client.user.name, client.vhost.name, client.protocol) == ("guest", "/", "MQTT 5-0")
    assert admitted.will is not None
    assert (admitted.will.topic, admitted.will.body, admitted.will.properties.persistent) == ("gone", b"x", True)
    assert (admitted.connect, admitted.exchange, admitted.properties) == (packet, None, {})
    assert (door.broker.client_count, door.broker.channel_count) == (1, 1)
    client.close()


def test_nothing_of_a_session_exists_yet(simulated: SimulatedBroker) -> None:
    admitted = Door(simulated).admitted(Connect("c"))
    assert not world_of(simulated.broker).of(simulated.vhost).sessions
    admitted.client.close()


@pytest.mark.parametrize(
    ("packet", "reason_code"),
    [
        (Connect("c", username="guest", password=b"wrong"), reason_codes.BAD_USER_NAME_OR_PASSWORD),
        (Connect("c", username="nobody", password=b"guest"), reason_codes.BAD_USER_NAME_OR_PASSWORD),
        (Connect("c", username="guest"), reason_codes.BAD_USER_NAME_OR_PASSWORD),
        (Connect("c", username="none:guest", password=b"guest"), reason_codes.BAD_USER_NAME_OR_PASSWORD),
        (Connect("c", username="closed:guest", password=b"guest"), reason_codes.NOT_AUTHORIZED),
        (Connect("c", will=Will("$SYS/x", b"")), reason_codes.NOT_AUTHORIZED),
        (
            Connect("", versions.V3_1_1, clean_start=False),
            reason_codes.CLIENT_IDENTIFIER_NOT_VALID,
        ),
        (Connect("c", properties={"authentication_method": "NONE"}), reason_codes.BAD_AUTHENTICATION_METHOD),
    ],
    ids=["password", "user", "no password", "vhost", "permissions", "will", "identifier", "method"],
)
def test_why_not(simulated: SimulatedBroker, packet: Connect, reason_code: int) -> None:
    simulated.broker.add_vhost("closed", {})
    assert Door(simulated).refused(packet).reason_code == reason_code


def test_a_user_who_may_only_come_from_here(simulated: SimulatedBroker) -> None:
    door = Door(simulated)
    door.transport.peer_host = "192.0.2.1"
    assert door.refused(Connect("c")).reason_code == reason_codes.NOT_AUTHORIZED


def test_under_an_alarm_or_without_its_exchange_the_broker_is_not_ready(simulated: SimulatedBroker) -> None:
    door = Door(simulated)
    simulated.broker.alarms.set("disk", True)
    assert door.refused(Connect("c")).reason_code == reason_codes.SERVER_BUSY
    simulated.broker.alarms.set("disk", False)
    simulated.vhost.exchanges.pop("amq.topic")
    assert door.refused(Connect("c")).reason_code == reason_codes.SERVER_UNAVAILABLE


def test_an_authentication_in_steps(simulated: SimulatedBroker) -> None:
    simulated.broker.users.add_user("ann", "secret")
    simulated.broker.users.set_permissions("ann", "/", ".*", ".*", ".*")
    simulated.broker.users.verifiers.make("ann", "secret")
    door = Door(simulated)
    step = door.connect(Connect("c", properties={"authentication_method": METHOD, "authentication_data": first("ann")}))
    assert isinstance(step, Auth)
    assert step.reason_code == reason_codes.CONTINUE_AUTHENTICATION
    assert simulated.broker.client_count == 0
    proof = final(step.properties["authentication_data"], b"secret", "ann")
    answer = door.login.authenticate(
        Auth(reason_codes.CONTINUE_AUTHENTICATION, {"authentication_method": METHOD, "authentication_data": proof})
    )
    assert isinstance(answer, Admitted)
    assert answer.client.user.name == "ann"
    assert answer.exchange is not None
    assert not answer.exchange.under_way
    assert answer.properties["authentication_data"].startswith(b"v="), "the broker proves that it knows the user too"
    answer.client.close()


@pytest.mark.parametrize("begun", [False, True])
def test_an_auth_out_of_turn(simulated: SimulatedBroker, begun: bool) -> None:
    door = Door(simulated)
    if begun:
        door.connect(Connect("c", properties={"authentication_method": METHOD, "authentication_data": first()}))
    method = "OTHER" if begun else METHOD
    with pytest.raises(ProtocolViolation) as refused:
        door.login.authenticate(Auth(reason_codes.CONTINUE_AUTHENTICATION, {"authentication_method": method}))
    assert refused.value.clause == "MQTT-4.12.0-6"
    if begun:
        with pytest.raises(ProtocolViolation):
            door.login.authenticate(Auth(reason_codes.REAUTHENTICATE, {"authentication_method": METHOD}))


@pytest.mark.parametrize("ended", [False, True])
def test_who_takes_too_long_is_gone(simulated: SimulatedBroker, ended: bool) -> None:
    door = Door(simulated, MqttSettings(login_timeout_ms=500))
    simulated.advance(499)
    assert not door.expired
    if ended:
        door.login.end()
    simulated.advance(1)
    assert len(door.expired) == (0 if ended else 1)
