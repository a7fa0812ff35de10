"""What a client is told, without a connection: as it takes it, counted, and after the disk where that has to be."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.bare import Bare
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import ConnAck, Disconnect, PubAck, PubRec, PubRel, SubAck
from warren.adapters.mqtt.codec.short_answers import PUBREL, short_answer
from warren.adapters.mqtt.errors import Refusal

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


def test_reasons_for_who_wants_them() -> None:
    for wanted in (True, False):
        bare = Bare(problem_information=wanted)
        bare.answers.send(SubAck(1, (reason_codes.NOT_AUTHORIZED,)), "why")
        bare.answers.send(Disconnect(reason_codes.NOT_AUTHORIZED), "why")
        bare.answers.send(ConnAck(reason_codes.NOT_AUTHORIZED), "why")
        packets = bare.packets()
        said = [
            each.properties.get("reason_string") for each in packets if isinstance(each, SubAck | Disconnect | ConnAck)
        ]
        assert said == ["why" if wanted else None, "why", "why"], "MQTT-3.1.2-29"


def test_mqtt_3_has_no_reasons() -> None:
    bare = Bare(versions.V3_1_1)
    bare.answers.send(ConnAck(reason_codes.NOT_AUTHORIZED), "why")
    assert bare.written() == b"\x20\x02\x00\x05"


def test_reasons_are_readable_and_end_somewhere() -> None:
    bare = Bare()
    bare.answers.send(Disconnect(reason_codes.UNSPECIFIED_ERROR), "\0" + "\udc80" + "x" * 2000)
    (packet,) = bare.packets()
    assert isinstance(packet, Disconnect)
    assert packet.properties["reason_string"] == "??" + "x" * 998


def test_what_the_client_does_not_take_is_left_out_or_not_sent() -> None:
    bare = Bare(packet_bytes_max=20)
    bare.answers.send(Disconnect(reason_codes.UNSPECIFIED_ERROR), "x" * 100)
    (packet,) = bare.packets()
    assert packet == Disconnect(reason_codes.UNSPECIFIED_ERROR)
    with pytest.raises(Refusal, match="SUBACK doesn't fit into 20 bytes") as refusal:
        bare.answers.send(SubAck(1, (reason_codes.GRANTED_QOS_0,) * 100))
    assert refusal.value.reason_code == reason_codes.PACKET_TOO_LARGE
    assert bare.written() == b""
    assert bare.world.answers_sent == 1, "only what was sent"


def test_the_last_word_is_said_as_well_as_it_can_be() -> None:
    bare = Bare(packet_bytes_max=3)
    bare.answers.disconnect(reason_codes.BANNED, "why")
    assert bare.packets() == [Disconnect(reason_codes.NOT_AUTHORIZED)]
    bare = Bare(packet_bytes_max=2)
    bare.answers.disconnect(reason_codes.BANNED, "why")
    bare.answers.refuse(reason_codes.BANNED, "why")
    assert bare.written() == b""


@pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
def test_a_publish_is_answered_by_its_qos(level: int) -> None:
    bare = Bare(level)
    bare.answers.answer_publish(1, 5, reason_codes.SUCCESS, stored=False)
    bare.answers.answer_publish(2, 6, reason_codes.SUCCESS, stored=False)
    bare.answers.answer_publish(1, 7, reason_codes.QUOTA_EXCEEDED, stored=False, text="full")
    first, second, third = bare.packets()
    assert first == PubAck(5)
    assert second == PubRec(6)
    if level == versions.V5:
        assert third == PubAck(7, reason_codes.QUOTA_EXCEEDED, {"reason_string": "full"})
    else:
        assert third == PubAck(7)
    assert bare.world.answers_sent == 3


def test_answers_keep_their_order_behind_one_that_waits() -> None:
    bare = Bare()
    answers = bare.answers
    answers.answer_publish(1, 1, reason_codes.SUCCESS, stored=True)
    answers.send_in_order(short_answer(PUBREL, 2), stored=False)
    answers.answer_publish(1, 3, reason_codes.QUOTA_EXCEEDED, stored=False)
    assert bare.written() == b""
    assert answers.after_flush.count == 3
    bare.flush()
    assert bare.packets() == [PubAck(1), PubRel(2), PubAck(3, reason_codes.QUOTA_EXCEEDED)]
    answers.send_in_order(short_answer(PUBREL, 4), stored=False)
    assert bare.written() == short_answer(PUBREL, 4), "at once, as nothing waits"


def test_at_the_end_nothing_waits() -> None:
    bare = Bare()
    bare.answers.answer_publish(1, 1, reason_codes.SUCCESS, stored=True)
    bare.answers.end()
    assert not bare.awaiting_flush
    bare.answers.after_flush.flushed(10)
    assert bare.written() == b""
