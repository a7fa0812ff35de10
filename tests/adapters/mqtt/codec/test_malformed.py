"""Every packet that the specification names as wrong, from the files in `malformed/`, through the codec.

The files' keys are explained in malformed_packets.py; a live session gets the same packets in test_malformed_live.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.malformed_packets import cases
from warren.adapters.mqtt.codec import clauses, versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.errors import MalformedPacket, PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.sender import check_from_client, check_from_server

ERRORS: dict[str, type[PacketError]] = {"malformed": MalformedPacket, "violation": ProtocolViolation}


def read(case: dict[str, Any], data: bytes, position: int, end: int) -> object:
    """What a peer does with a packet: decode it, then check who sent it."""
    limit = case.get("packet_bytes_max", versions.PACKET_BYTES_MAX)
    found = decode(data, position, end, case["level"], limit)
    if found is None:
        return None
    if case.get("sender") == "client":
        check_from_client(found[0], case["level"])
    elif case.get("sender") == "server":
        check_from_server(found[0], case["level"])
    return found


@pytest.mark.parametrize("case", cases())
def test_it_is_refused(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bytes"])
    with pytest.raises(ERRORS[case["error"]]) as refused:
        read(case, data, 0, len(data))
    assert (refused.value.reason_code, refused.value.clause) == (case["reason_code"], case["clause"])
    assert refused.value.level == case.get("connect_level", versions.UNKNOWN)
    assert refused.value.text in str(refused.value)


@pytest.mark.parametrize("case", cases())
def test_cuts_and_neighbours_change_nothing(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bytes"])
    padded = b"\xc0\x00" + data + b"\x00\x01\xff"
    with pytest.raises(ERRORS[case["error"]]) as refused:
        read(case, padded, 2, len(padded))
    assert refused.value.clause == case["clause"]
    for end in range(len(data)):
        assert refusal(case, data, end) in (None, (case["reason_code"], case["clause"]))


def refusal(case: dict[str, Any], data: bytes, end: int) -> tuple[int, str] | None:
    """Reason code and clause if the packet is refused after its first `end` bytes; None while it is incomplete."""
    try:
        assert read(case, data, 0, end) is None
    except PacketError as early:
        return early.reason_code, early.clause
    return None


def test_all_clauses_of_the_codec_are_covered() -> None:
    named = {
        clause
        for value in vars(clauses).values()
        if isinstance(value, clauses.Clause)
        for clause in (value.v3, value.v5)
    }
    named |= {clauses.DISCONNECT_CODE, clauses.AUTH_CODE, clauses.AUTH_METHOD, clauses.PROPERTIES}
    named |= set(clauses.PUBLISH_ACK_CODE.values())
    covered = {case.values[0]["clause"] for case in cases()}
    impossible = {clauses.UNSUBACK_CODE.v3, clauses.PASSWORD_WITHOUT_USERNAME.v5}
    assert named - covered == impossible
