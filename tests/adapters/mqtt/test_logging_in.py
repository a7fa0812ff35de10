"""Which virtual host a client enters, logins by certificate, and refused logins, which are answered late (spec C.2)."""

from __future__ import annotations

from itertools import count

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, PingReq
from warren.adapters.mqtt.logging_in import CERTIFICATE_MAPPING, PORT_MAPPING
from warren.adapters.mqtt.settings import MqttSettings

CERTIFICATE = "O=Plant,CN=sensor:7"
PORT = 1883


@pytest.fixture
def vhosts(simulated: SimulatedBroker) -> SimulatedBroker:
    """Virtual hosts that anybody may enter."""
    broker = simulated.broker
    broker.users.add_user("device", "secret")
    broker.users.add_user(CERTIFICATE, "secret")
    broker.users.add_user("7", "secret")
    for name in ("by-port", "by-certificate", "prefix", "O=Plant,CN=sensor", "configured"):
        broker.add_vhost(name, {})
        for user in ("guest", "device", CERTIFICATE, "7"):
            broker.users.set_permissions(user, name, ".*", ".*", ".*")
    broker.users.set_permissions("device", "/", ".*", ".*", ".*")
    return simulated


_numbers = count()


def entered(
    simulated: SimulatedBroker,
    *,
    username: str | None = None,
    certificate: str | None = None,
    settings: MqttSettings | None = None,
) -> tuple[str, str]:
    """The user and the virtual host of a client that logs in."""
    made = MqttClient(simulated, settings=settings or MqttSettings(certificate_login=True, default_vhost="configured"))
    made.transport.certificate_name = certificate
    made.transport.port = PORT
    answer = made.connect(f"c-{next(_numbers)}", username=username, password=None if username is None else b"secret")
    assert answer.reason_code == 0
    client = made.running.client
    return client.user.name, client.vhost.name


def test_without_a_certificate(vhosts: SimulatedBroker) -> None:
    parameters = vhosts.broker.parameters
    parameters.set_global(CERTIFICATE_MAPPING, {CERTIFICATE: "by-certificate"})
    assert entered(vhosts, username="device") == ("device", "configured")
    parameters.set_global(PORT_MAPPING, {str(PORT): "by-port", "1": "no"})
    assert entered(vhosts, username="device") == ("device", "by-port")
    assert entered(vhosts) == ("guest", "by-port")
    assert entered(vhosts, username="prefix:device") == ("device", "prefix")
    parameters.set_global(PORT_MAPPING, {"1": "no"})
    assert entered(vhosts, username="device") == ("device", "configured")


def test_with_a_certificate(vhosts: SimulatedBroker) -> None:
    parameters = vhosts.broker.parameters
    assert entered(vhosts, certificate=CERTIFICATE) == (CERTIFICATE, "configured")
    parameters.set_global(PORT_MAPPING, {str(PORT): "by-port"})
    assert entered(vhosts, certificate=CERTIFICATE) == (CERTIFICATE, "by-port")
    parameters.set_global(CERTIFICATE_MAPPING, {CERTIFICATE: "by-certificate"})
    assert entered(vhosts, certificate=CERTIFICATE) == (CERTIFICATE, "by-certificate")
    assert entered(vhosts, certificate=CERTIFICATE, username="device") == ("device", "by-port"), (
        "credentials count first"
    )


def test_a_certificate_s_name_may_name_the_virtual_host(vhosts: SimulatedBroker) -> None:
    vhosts.broker.users.delete_user(CERTIFICATE)
    assert entered(vhosts, certificate=CERTIFICATE) == ("7", "O=Plant,CN=sensor")
    settings = MqttSettings(certificate_login=True, ignore_colons_in_username=True)
    made = MqttClient(vhosts, settings=settings)
    made.transport.certificate_name = CERTIFICATE
    assert made.connect("c").reason_code == reason_codes.NOT_AUTHORIZED


def test_certificates_count_only_where_they_are_asked_for(vhosts: SimulatedBroker) -> None:
    assert entered(vhosts, certificate=CERTIFICATE, settings=MqttSettings()) == ("guest", "/")


def test_a_mapping_that_is_none_is_no_mapping(vhosts: SimulatedBroker) -> None:
    vhosts.broker.parameters.set_global(PORT_MAPPING, ["by-port"])
    assert entered(vhosts, username="device") == ("device", "configured")
    vhosts.broker.parameters.set_global(PORT_MAPPING, {str(PORT): 5})
    assert entered(vhosts, username="device") == ("device", "configured")


def wrong(level: int) -> bytes:
    """A CONNECT with a wrong password."""
    return encode(Connect("c", level, True, 0, None, "guest", b"wrong"), level)


def test_a_refused_login_is_answered_late(simulated: SimulatedBroker, level: int) -> None:
    timers = simulated.timers
    made = MqttClient(simulated, level)
    assert made.send_bytes(wrong(level)) == []
    assert not made.transport.paused, "else nobody would notice that the client leaves"
    assert made.send(PingReq()) == [], "nothing is taken meanwhile"
    simulated.advance(2_999)
    assert made.packets() == []
    assert not made.closed
    simulated.advance(1)
    code = only(ConnAck, made.packets()).reason_code
    assert code == (reason_codes.BAD_USER_NAME_OR_PASSWORD if level == versions.V5 else 4)
    assert made.closed
    made.lose()
    assert simulated.timers == timers
    assert not len(simulated.broker.refused_logins)


def test_who_waits_for_a_refusal_and_leaves_is_forgotten(simulated: SimulatedBroker) -> None:
    timers = simulated.timers
    made = MqttClient(simulated)
    made.send_bytes(wrong(versions.V5))
    made.lose()
    assert not len(simulated.broker.refused_logins)
    assert simulated.timers == timers
    assert not simulated.broker.sessions


def test_a_broker_that_stops_does_not_wait(simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated)
    made.send_bytes(wrong(versions.V5))
    made.connection.shut_down("stopping")
    simulated.settle()
    only(ConnAck, made.packets())
    assert made.closed


def test_not_all_wait_at_a_time(simulated: SimulatedBroker) -> None:
    simulated.broker.refused_logins.waiting_max = 3
    clients = [MqttClient(simulated) for _ in range(5)]
    for client in clients:
        client.send_bytes(wrong(versions.V5))
    assert [client.closed for client in clients] == [True, True, False, False, False], "the first waited longest"
    assert len(simulated.broker.refused_logins) == 3
    simulated.advance(3_000)
    assert all(client.closed for client in clients)


def test_no_delay_can_be_configured(simulated: SimulatedBroker) -> None:
    simulated.broker.refused_logins.delay_ms = 0
    made = MqttClient(simulated)
    only(ConnAck, made.send_bytes(wrong(versions.V5)))


def test_others_log_in_meanwhile(simulated: SimulatedBroker) -> None:
    MqttClient(simulated).send_bytes(wrong(versions.V5))
    assert MqttClient(simulated).connect("c").reason_code == 0


# No credentials, as some clients write them


NO_CREDENTIALS = [
    (None, None),
    ("", b""),
    ("", None),
    (None, b""),
    ("DVES_USER", None),
    ("DVES_USER", b""),
    ("nowhere:nobody", b""),
    ("häse", b""),
]


@pytest.mark.parametrize(("username", "password"), NO_CREDENTIALS)
def test_a_name_without_a_password_is_anonymous(
    simulated: SimulatedBroker, level: int, username: str | None, password: bytes | None
) -> None:
    if level != versions.V5 and username is None and password is not None:
        username = ""  # a password needs the flag of a user name (MQTT 3.1.1 3.1.2-22)
    made = MqttClient(simulated, level)
    assert made.connect("c", username=username, password=password).reason_code == 0
    assert made.running.client.user.name == "guest"


@pytest.mark.parametrize(("username", "password"), NO_CREDENTIALS)
def test_where_nobody_may_be_anonymous_it_is_refused(
    simulated: SimulatedBroker, username: str | None, password: bytes | None
) -> None:
    made = MqttClient(simulated, versions.V5, settings=MqttSettings(allow_anonymous=False))
    assert made.connect("c", username=username, password=password).reason_code == reason_codes.BAD_USER_NAME_OR_PASSWORD


@pytest.mark.parametrize("username", ["device", "prefix:device", "guest"])
@pytest.mark.parametrize("password", [None, b"", b"wrong"])
def test_the_name_of_a_user_needs_its_password(vhosts: SimulatedBroker, username: str, password: bytes | None) -> None:
    made = MqttClient(vhosts, versions.V5)
    assert made.connect("c", username=username, password=password).reason_code == reason_codes.BAD_USER_NAME_OR_PASSWORD


def test_a_user_who_has_no_password_is_nobody_s_to_take(vhosts: SimulatedBroker) -> None:
    vhosts.broker.users.clear_password("device")
    made = MqttClient(vhosts, versions.V5)
    assert made.connect("c", username="device", password=b"").reason_code == reason_codes.BAD_USER_NAME_OR_PASSWORD


def test_an_unknown_name_with_a_password_is_refused(simulated: SimulatedBroker) -> None:
    for username in ("nobody", "", None):
        made = MqttClient(simulated, versions.V5)
        answer = made.connect("c", username=username, password=b"x")
        assert answer.reason_code == reason_codes.BAD_USER_NAME_OR_PASSWORD


def test_a_certificate_is_who_a_client_without_a_password_is(vhosts: SimulatedBroker) -> None:
    for username in (None, "", "DVES_USER"):
        settings = MqttSettings(certificate_login=True, allow_anonymous=False, default_vhost="configured")
        made = MqttClient(vhosts, settings=settings)
        made.transport.certificate_name = CERTIFICATE
        assert made.connect("c", username=username, password=None).reason_code == 0
        assert made.running.client.user.name == CERTIFICATE


def test_an_anonymous_client_s_name_chooses_no_virtual_host(vhosts: SimulatedBroker) -> None:
    vhosts.broker.parameters.set_global(PORT_MAPPING, {str(PORT): "by-port"})
    made = MqttClient(vhosts)
    made.transport.port = PORT
    assert made.connect("c", username="prefix:nobody", password=b"").reason_code == 0
    assert made.running.client.vhost.name == "by-port"


def test_an_anonymous_client_is_local_like_the_user_that_it_is(simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated, versions.V5)
    made.transport.peer_host = "198.51.100.7"
    assert made.connect("c", username="DVES_USER", password=b"").reason_code == reason_codes.NOT_AUTHORIZED


def test_the_log_says_whose_name_it_isn_t(simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    MqttClient(simulated).connect("c", username="DVES_USER", password=b"")
    assert "'DVES_USER' without a password is nobody's user name; it is the anonymous user's" in caplog.text
    before = caplog.text
    MqttClient(simulated).connect("d")
    assert "nobody's" not in caplog.text[len(before) :]
