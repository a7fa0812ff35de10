"""Packets that are well-formed and come when they may not: the required reason code, then close (`misuse/*.toml`).

Keys of a packet: `name`; `level`; `connect`, the CONNECT that comes first, if not the usual one; `before`, packets that
follow it and are taken; `outgoing`, whether the client has been sent two messages by then; `bytes`; `reason_code`,
`clause`, and `answer` where it is not DISCONNECT but CONNACK.  Sometimes a limit of the broker, by its name in
MqttSettings.  `clean_only`: it is wrong only where the session ends with its connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.adapters.mqtt.malformed_packets import Case, cases, packet_bytes
from tests.adapters.mqtt.place import WILL, Place
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.packets import ConnAck, Disconnect, Packet
from warren.adapters.mqtt.settings import MqttSettings

FOLDER = Path(__file__).with_name("misuse")

LIMITS = ("receive_maximum", "topic_alias_max")


@pytest.mark.parametrize("case", cases(FOLDER))
def test_the_codec_takes_it(case: Case) -> None:
    data = packet_bytes(case)
    assert decode(data, 0, len(data), case["level"]) is not None


def connected(place: Place, case: Case, *, persistent: bool) -> MqttClient:
    """A client at the point where the case's packet comes."""
    limits = {name: case[name] for name in LIMITS if name in case}
    client = MqttClient(place.simulated, case["level"], MqttSettings(**limits))
    if "connect" in case:
        client.send_bytes(bytes.fromhex(case["connect"]))
    else:
        more: dict[str, Any] = {}
        if persistent and client.level == versions.V5:
            more["session_expiry_interval"] = 3600
        client.connect("bad", clean_start=not persistent, keep_alive_s=60, will=WILL, **more)
        client.subscribe("own/#", "$share/group/t", qos=2)
    if case.get("outgoing"):
        publisher = MqttClient(place.simulated)
        publisher.connect("publisher")
        publisher.publish_fully("own/1", b"twice", 2)
        publisher.publish_fully("own/1", b"once", 1)
        publisher.disconnect()
        assert [(each.packet_id, each.qos) for each in client.messages()] == [(1, 2), (2, 1)]
    for packet in case.get("before", []):
        client.send_bytes(bytes.fromhex(packet))
        assert not client.closed
    client.packets()
    return client


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("case", cases(FOLDER))
def test_it_is_answered_and_closed(place: Place, case: Case, cut: str) -> None:
    persistent = cut != "whole" and not case.get("clean_only")
    before = place.state()
    client = connected(place, case, persistent=persistent)
    logged_in = client.connection.client is not None
    answers: list[Packet] = client.send_bytes(packet_bytes(case), cut)
    if case["reason_code"] == reason_codes.NOT_AUTHORIZED:
        assert answers == [], "a refused login is answered late"
        place.simulated.advance(place.simulated.broker.refused_logins.delay_ms)
        answers = client.packets()
    if client.level == versions.V5:
        (answer,) = answers
        assert isinstance(answer, ConnAck if case.get("answer") == "connack" else Disconnect)
        assert answer.reason_code == case["reason_code"], reason_codes.name_of(answer.reason_code)
        assert answer.properties["reason_string"]
    else:
        assert answers == []
    assert client.transport.closed
    assert place.gone() == ([WILL.payload] if logged_in else [])
    if persistent and logged_in:
        place.clear("bad", client.level)
    assert place.state() == before
