"""Every packet of `codec/malformed/` sent to a live session: the required answer, then close, and nothing is left.

The answer to a client of MQTT 5 is DISCONNECT with the case's reason code (MQTT-4.13.1-1), or CONNACK with it where
CONNECT itself is wrong; a client of MQTT 3 is told nothing (3.1.1 4.8), but for CONNACK's return code 1 in answer to a
version that there isn't (MQTT-3.1.2-2).  The connection has everything that could be left behind: a timer, a will,
subscriptions of its own and of a group, a message on its way to it and one of QoS 2 on its way from it.  It has
published to the topic `a` before, so that what knows such topics by heart is tried too.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.malformed_packets import Case, cases, packet_bytes
from tests.adapters.mqtt.place import WILL, Place
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import ConnAck, Disconnect, PubAck, PubRec
from warren.adapters.mqtt.settings import MqttSettings


def settings_of(case: Case) -> MqttSettings:
    """The limits that a case asks for."""
    if "packet_bytes_max" in case and case["level"]:
        return MqttSettings(packet_bytes_max=case["packet_bytes_max"])
    return MqttSettings()


def connected(place: Place, case: Case, *, persistent: bool) -> MqttClient:
    """A client in the case's version; before CONNECT if the case is about what comes then."""
    level = case["level"] or case.get("connect_level", versions.V5)
    client = MqttClient(place.simulated, level, settings_of(case))
    if not case["level"]:
        return client
    more: dict[str, Any] = {"session_expiry_interval": 3600} if persistent and level == versions.V5 else {}
    client.connect("bad", clean_start=not persistent, keep_alive_s=60, will=WILL, **more)
    client.subscribe("own/#", "$share/group/t", qos=2)
    only(PubRec, client.publish("own/1", b"x", 2, packet_id=60_000))
    assert client.session.inbound
    client.publish("a", b"known")
    only(PubAck, client.publish("a", b"known", 1))
    return client


def expected_code(case: Case) -> int | None:
    """What the answer says; None for a connection that is only closed."""
    code: int = case["reason_code"]
    level = case["level"] or case.get("connect_level", versions.UNKNOWN)
    if level == versions.V5:
        return code
    if not case["level"] and level and code == reason_codes.UNSUPPORTED_PROTOCOL_VERSION:
        return reason_codes.UNACCEPTABLE_PROTOCOL_LEVEL
    return None


def check_answer(case: Case, client: MqttClient) -> None:
    """The one packet that says why, or none."""
    answers = client.packets()
    code = expected_code(case)
    if code is None:
        assert answers == []
        return
    (answer,) = answers
    assert isinstance(answer, Disconnect if case["level"] else ConnAck)
    assert answer.reason_code == code, reason_codes.name_of(answer.reason_code)
    assert client.level != versions.V5 or answer.properties["reason_string"]


@pytest.mark.parametrize("case", cases(of_servers=False))
def test_it_is_answered_and_closed_and_nothing_is_left(place: Place, case: Case) -> None:
    before = place.state()
    client = connected(place, case, persistent=False)
    client.transport.receive(packet_bytes(case) + b"\xc0\x00")
    place.simulated.settle()
    check_answer(case, client)
    assert client.transport.closed
    assert place.state() == before
    assert place.gone() == ([WILL.payload] if case["level"] else [])


@pytest.mark.parametrize("case", [each for each in cases(of_servers=False) if each.values[0]["level"]])
def test_a_session_that_is_to_be_kept_is_kept_byte_by_byte(place: Place, case: Case) -> None:
    before = place.state()
    client = connected(place, case, persistent=True)
    session = client.session
    for byte in packet_bytes(case):
        client.transport.receive(bytes((byte,)))
    place.simulated.settle()
    check_answer(case, client)
    assert client.transport.closed
    assert place.gone() == [WILL.payload]
    assert (session.holder, session.ended, len(session.subscriptions)) == (None, False, 2)
    assert (len(session.outgoing), list(session.inbound)) == (1, [60_000])
    place.clear("bad", client.level)
    assert session.ended
    assert place.state() == before
