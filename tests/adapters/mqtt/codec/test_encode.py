"""What can't be written, what is left out to fit, and the short forms of answers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from warren.adapters.mqtt.codec import reason_codes, short_answers, versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode, encode_within
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.codec.sender import check_from_client, check_from_server


def properties(**values: object) -> Properties:
    return cast(Properties, values)


IMPOSSIBLE: list[tuple[Packet, int]] = [
    (Connect("c", level=6), 5),
    (Connect("c", level=5, is_bridge=True), 5),
    (Connect("c", level=4, password=b"p"), 4),
    (Connect("c", keep_alive_s=65_536), 5),
    (Connect("c\0"), 5),
    (Connect("c\ud800"), 5),
    (Connect("c" * 65_536), 5),
    (Connect("c", will=Will("a/#", b"")), 5),
    (Connect("c", will=Will("", b"")), 5),
    (Connect("c", will=Will("a", b"", 3)), 5),
    (Connect("c", will=Will("a", b"x" * 65_536)), 5),
    (Connect("c", properties=properties(receive_maximum=0)), 5),
    (Connect("c", properties=properties(topic_alias=1)), 5),
    (Connect("c", properties=properties(authentication_data=b"d")), 5),
    (ConnAck(0x87, session_present=True), 5),
    (ConnAck(0x01), 5),
    (Publish("", b""), 5),
    (Publish("", b"", properties=properties(topic_alias=1)), 4),
    (Publish("a/+", b""), 5),
    (Publish("a", b"", 3, 1), 5),
    (Publish("a", b"", 1, 0), 5),
    (Publish("a", b"", 0, 1), 5),
    (Publish("a", b"", 1, 65_536), 5),
    (Publish("a", b"", duplicate=True), 5),
    (Publish("a", b"", properties=properties(topic_alias=0)), 5),
    (Publish("a", b"", properties=properties(message_expiry_interval=-1)), 5),
    (Publish("a", b"", properties=properties(message_expiry_interval=2**32)), 5),
    (Publish("a", b"", properties=properties(response_topic="a/#")), 5),
    (Publish("a", b"", properties=properties(user_properties=[("a\0", "b")])), 5),
    (Publish("a", b"", properties=properties(no_such_property=1)), 5),
    (PubAck(0), 5),
    (Subscribe(1, ()), 5),
    (Subscribe(0, (Subscription("a"),)), 5),
    (Subscribe(1, (Subscription("a", 3),)), 5),
    (Subscribe(1, (Subscription("a", retain_handling=3),)), 5),
    (Subscribe(1, (Subscription("a"),), properties(subscription_identifiers=[1, 2])), 5),
    (Subscribe(1, (Subscription("a"),), properties(subscription_identifiers=[268_435_456])), 5),
    (Subscribe(1, (Subscription("a#"),)), 4),
    (Subscribe(1, (Subscription("$share/g"),)), 5),
    (Subscribe(1, (Subscription("$share/g/a", no_local=True),)), 5),
    (Unsubscribe(1, ("",)), 5),
    (SubAck(1, ()), 5),
    (Unsubscribe(1, ()), 5),
    (UnsubAck(1, ()), 5),
    (Auth(0x18), 5),
    (Auth(), 4),
]


@pytest.mark.parametrize(("packet", "level"), IMPOSSIBLE)
def test_what_is_no_packet_is_not_written(packet: Packet, level: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode(packet, level)


def test_a_packet_that_is_too_long_for_mqtt_is_not_written() -> None:
    payload = bytes(versions.REMAINING_LENGTH_MAX - 3)
    with pytest.raises(ValueError, match="out of the range"):
        encode(Publish("a", payload), versions.V5)


def test_user_properties_are_left_out_first_then_the_reason_string() -> None:
    full = PubAck(7, 0x97, {"reason_string": "full", "user_properties": [("a", "b")]})
    whole = encode(full, versions.V5)
    without_users = encode(PubAck(7, 0x97, {"reason_string": "full"}), versions.V5)
    bare = encode(PubAck(7, 0x97), versions.V5)
    for limit in range(len(whole) + 2):
        expected = next((form for form in (whole, without_users, bare) if len(form) <= limit), None)
        assert encode_within(full, versions.V5, limit) == expected


def test_other_properties_are_never_left_out() -> None:
    connack = ConnAck(0, properties={"assigned_client_identifier": "c", "reason_string": "hello"})
    bare = encode(ConnAck(0, properties={"assigned_client_identifier": "c"}), versions.V5)
    assert encode_within(connack, versions.V5, len(bare)) == bare
    assert encode_within(connack, versions.V5, len(bare) - 1) is None
    assert connack.properties["reason_string"] == "hello"


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (short_answers.PUBACK, PubAck),
        (short_answers.PUBREC, PubRec),
        (short_answers.PUBREL, PubRel),
        (short_answers.PUBCOMP, PubComp),
    ],
)
@pytest.mark.parametrize("level", [3, 4, 5])
def test_short_answers(first: int, kind: Any, level: int) -> None:
    for packet_id in (1, 255, 256, 65_535):
        data = short_answers.short_answer(first, packet_id)
        assert data == encode(kind(packet_id), level)
        assert decode(data, 0, len(data), level) == (kind(packet_id), len(data))
        assert short_answers.peek_short_answer(b"x" + data + b"x", 1, 6) == packet_id
        for end in range(4):
            assert short_answers.peek_short_answer(data, 0, end) == 0


def test_longer_and_wrong_answers_are_not_short() -> None:
    long = encode(PubAck(7, 0x10), versions.V5)
    assert short_answers.peek_short_answer(long, 0, len(long)) == 0
    assert short_answers.peek_short_answer(b"\x40\x02\x00\x00", 0, 4) == 0


def test_what_both_may_send() -> None:
    both: list[Packet] = [
        Publish("a", b""),
        PubAck(1),
        PubRec(1),
        PubRel(1),
        PubComp(1),
        Disconnect(),
        Auth(0x18, {"authentication_method": "M"}),
    ]
    for packet in both:
        check_from_client(packet, versions.V5)
        check_from_server(packet, versions.V5)
    check_from_client(Disconnect(), versions.V3_1_1)


def test_reason_codes_have_names() -> None:
    assert reason_codes.name_of(0x97) == "Quota exceeded"
    assert reason_codes.name_of(0xFE) == "0xFE"
