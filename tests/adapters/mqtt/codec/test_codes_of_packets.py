"""Which packet carries which reason code (table 2-6): with another it can't be made; each failure has a stand-in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    SubAck,
    UnsubAck,
)

MADE: dict[int, Callable[[int], Packet]] = {
    versions.CONNACK: ConnAck,
    versions.PUBACK: lambda code: PubAck(1, code),
    versions.PUBREC: lambda code: PubRec(1, code),
    versions.PUBREL: lambda code: PubRel(1, code),
    versions.PUBCOMP: lambda code: PubComp(1, code),
    versions.SUBACK: lambda code: SubAck(1, (0, code)),
    versions.UNSUBACK: lambda code: UnsubAck(1, (0, code)),
    versions.DISCONNECT: Disconnect,
    versions.AUTH: lambda code: Auth(code, {"authentication_method": "M"}),
}

OF_MQTT_3 = range(1, reason_codes.RETURN_CODE_MAX + 1)
"""What a CONNACK of MQTT 3 says in place of MQTT 5's codes."""


def test_every_packet_with_reason_codes_is_looked_at() -> None:
    assert set(MADE) == set(reason_codes.ALLOWED)


@pytest.mark.parametrize("packet", MADE, ids=lambda packet: versions.TYPE_NAMES[packet])
def test_a_packet_is_made_with_the_codes_it_carries_and_no_others(packet: int) -> None:
    for code in range(0x100):
        if code in reason_codes.ALLOWED[packet]:
            made = MADE[packet](code)
            assert code in encode(made, versions.V5) or not code
        elif packet == versions.CONNACK and code in OF_MQTT_3:
            MADE[packet](code)
            with pytest.raises(ValueError, match="can't carry"):
                encode(MADE[packet](code), versions.V5)
        else:
            with pytest.raises(ValueError, match=f"can't carry the reason code 0x{code:02X}"):
                MADE[packet](code)


@pytest.mark.parametrize("packet", MADE.keys() - {versions.AUTH}, ids=lambda packet: versions.TYPE_NAMES[packet])
def test_every_failure_has_something_that_is_said_in_its_place(packet: int) -> None:
    for code in reason_codes.NAMES:
        instead = reason_codes.fitting(packet, code)
        MADE[packet](instead)
        if code in reason_codes.ALLOWED[packet]:
            assert instead == code
        else:
            assert instead >= reason_codes.FAILURE, "what is no success doesn't become one"


@pytest.mark.parametrize(
    ("packet", "code", "instead"),
    [
        (versions.CONNACK, reason_codes.TOPIC_FILTER_INVALID, reason_codes.PROTOCOL_ERROR),
        (versions.CONNACK, reason_codes.SERVER_SHUTTING_DOWN, reason_codes.SERVER_UNAVAILABLE),
        (versions.CONNACK, reason_codes.ADMINISTRATIVE_ACTION, reason_codes.SERVER_UNAVAILABLE),
        (versions.CONNACK, reason_codes.SESSION_TAKEN_OVER, reason_codes.UNSPECIFIED_ERROR),
        (versions.DISCONNECT, reason_codes.UNSUPPORTED_PROTOCOL_VERSION, reason_codes.PROTOCOL_ERROR),
        (versions.DISCONNECT, reason_codes.CLIENT_IDENTIFIER_NOT_VALID, reason_codes.PROTOCOL_ERROR),
        (versions.DISCONNECT, reason_codes.BAD_USER_NAME_OR_PASSWORD, reason_codes.NOT_AUTHORIZED),
        (versions.DISCONNECT, reason_codes.BANNED, reason_codes.NOT_AUTHORIZED),
        (versions.DISCONNECT, reason_codes.SERVER_UNAVAILABLE, reason_codes.SERVER_BUSY),
        (versions.SUBACK, reason_codes.SERVER_BUSY, reason_codes.UNSPECIFIED_ERROR),
        (versions.PUBREL, reason_codes.QUOTA_EXCEEDED, reason_codes.PACKET_IDENTIFIER_NOT_FOUND),
    ],
)
def test_the_nearest_is_said(packet: int, code: int, instead: int) -> None:
    assert reason_codes.fitting(packet, code) == instead
