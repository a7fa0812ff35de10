"""PUBACK, PUBREC, PUBREL and PUBCOMP, without a connection: what they settle, what they are answered, and when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.adapters.mqtt.bare import Bare, BareQueue
from warren.adapters.mqtt.acknowledging import acknowledged, completed, received, released
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import PubComp, PubRec, PubRel
from warren.adapters.mqtt.inflow import Inflow
from warren.adapters.mqtt.outflow import Outflow
from warren.adapters.mqtt.plan import Plan
from warren.adapters.mqtt.sessions.subscription import MqttSubscription

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")

WINDOW = 5
NO = reason_codes.FAILURE
"""The lowest that refuses; what is below it takes the message."""

UNKNOWN = reason_codes.PACKET_IDENTIFIER_NOT_FOUND
LEVELS = (versions.V3_1_1, versions.V5)
NOT_FOUND = ((versions.V3_1_1, 0), (versions.V5, UNKNOWN))
"""By level, what is said of an identifier that means nothing."""


class Place:
    """A client that was sent one message of this QoS, as packet 1."""

    def __init__(self, qos: int, level: int = versions.V5, *, stored: bool = False) -> None:
        self.bare = Bare(level, stored=stored, in_flight_max=WINDOW)
        self.outflow = Outflow(self.bare.session, self.bare.answers, self.bare.counts)
        self.queue = BareQueue()
        plan = Plan("a/b", [MqttSubscription("a/b", "a/b", qos=qos)])
        self.outflow.send_new(self.bare.message(qos=qos), cast("Any", self.queue), "", plan, False)
        self.bare.written()

    def state(self) -> dict[str, int]:
        """What of it can be seen; without what is zero."""
        counted = {
            "acknowledged": len(self.queue.acknowledged),
            "discarded": len(self.queue.discarded),
            "returned": self.outflow.counts.returned,
            "taken": WINDOW - self.outflow.window,
            "outgoing": len(self.bare.session.outgoing),
        }
        return {name: count for name, count in counted.items() if count}


UNDER_WAY = {"taken": 1, "outgoing": 1}


@pytest.mark.parametrize(
    ("packet_id", "reason_code", "state"),
    [
        (1, 0, {"acknowledged": 1}),
        (1, NO - 1, {"acknowledged": 1}),
        (1, NO, {"discarded": 1, "returned": 1}),
        (2, 0, UNDER_WAY),
        (2, NO, UNDER_WAY),
    ],
)
def test_puback(packet_id: int, reason_code: int, state: dict[str, int]) -> None:
    place = Place(1)
    acknowledged(place.outflow, packet_id, reason_code)
    assert (place.state(), place.bare.packets()) == (state, [])
    acknowledged(place.outflow, packet_id, reason_code)
    assert place.state() == state, "the second means nothing"


@pytest.mark.parametrize("reason_code", [0, NO])
def test_an_answer_of_the_other_qos(reason_code: int) -> None:
    place = Place(2)
    with pytest.raises(ProtocolViolation, match="PUBACK for the packet identifier 1, which has QoS 2") as refused:
        acknowledged(place.outflow, 1, reason_code)
    assert (refused.value.reason_code, refused.value.clause) == (reason_codes.PROTOCOL_ERROR, "4.3.3")
    assert place.state() == UNDER_WAY
    place = Place(1)
    with pytest.raises(ProtocolViolation, match="PUBREC for 1, which has QoS 1") as refused:
        received(place.outflow, PubRec(1, reason_code))
    assert (refused.value.reason_code, refused.value.clause) == (reason_codes.PROTOCOL_ERROR, "4.3.2")
    assert place.state() == UNDER_WAY


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("reason_code", [0, reason_codes.NO_MATCHING_SUBSCRIBERS])
def test_pubrec_and_pubcomp(level: int, reason_code: int) -> None:
    place = Place(2, level)
    received(place.outflow, PubRec(1, reason_code))
    assert place.bare.packets() == [PubRel(1)]
    assert place.state() == {"acknowledged": 1, **UNDER_WAY}, "a place in the window, until it is through"
    completed(place.outflow, PubComp(2))
    assert place.state() == {"acknowledged": 1, **UNDER_WAY}, "somebody else's"
    completed(place.outflow, PubComp(1))
    assert (place.state(), place.bare.packets()) == ({"acknowledged": 1}, [])
    completed(place.outflow, PubComp(1))
    assert place.state() == {"acknowledged": 1}, "the second gives nothing back"


def test_pubrec_that_refuses() -> None:
    place = Place(2)
    received(place.outflow, PubRec(2, NO))
    assert (place.state(), place.bare.packets()) == (UNDER_WAY, []), "nothing of that identifier"
    received(place.outflow, PubRec(1, NO))
    assert (place.state(), place.bare.packets()) == ({"discarded": 1, "returned": 1}, [])


@pytest.mark.parametrize(("level", "reason_code"), NOT_FOUND)
def test_pubrec_of_nothing_is_answered_at_once(level: int, reason_code: int) -> None:
    place = Place(2, level, stored=True)
    place.bare.flush()
    place.bare.written()
    received(place.outflow, PubRec(2))
    assert place.bare.packets() == [PubRel(2, reason_code)]
    assert place.state()["outgoing"] == 1


def test_pubrel_keeps_its_place_in_3_1_1() -> None:
    place = Place(2, versions.V3_1_1, stored=True)
    place.bare.flush()
    place.bare.written()
    for packet_id in (1, 2):
        received(place.outflow, PubRec(packet_id))
    assert place.bare.packets() == []
    place.bare.flush()
    assert place.bare.packets() == [PubRel(1), PubRel(2)]


@pytest.mark.parametrize("stored", [False, True])
def test_pubrel_waits_until_what_pubrec_said_is_on_disk(stored: bool) -> None:
    place = Place(2, stored=stored)
    place.bare.flush()
    place.bare.written()
    received(place.outflow, PubRec(1))
    assert place.bare.packets() == ([] if stored else [PubRel(1)])
    place.bare.flush()
    assert place.bare.packets() == ([PubRel(1)] if stored else [])


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("level", "reason_code"), NOT_FOUND)
def test_pubrel(level: int, reason_code: int, stored: bool) -> None:
    bare = Bare(level, stored=stored)
    broker = SimpleNamespace(store=bare.store, alarms=SimpleNamespace(blocked=None))
    client = SimpleNamespace(vhost=SimpleNamespace(version=0, broker=broker), counts=bare.counts)
    inflow = Inflow(cast("Any", client), bare.session, bare.answers, 256)
    bare.session.note_inbound(1)
    released(inflow, PubRel(1))
    released(inflow, PubRel(1))
    answers = [PubComp(1), PubComp(1, reason_code)]
    assert bare.packets() == ([] if stored else answers)
    bare.flush()
    assert bare.packets() == (answers if stored else [])
