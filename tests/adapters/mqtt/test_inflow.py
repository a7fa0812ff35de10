"""Messages from a client, without a connection: topic aliases, known topics, the receive maximum."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.adapters.mqtt.bare import Bare, BareQueue
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import MalformedPacket, ProtocolViolation
from warren.adapters.mqtt.codec.short_answers import PUBREL, short_answer
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.inflow import KNOWN_TOPICS_MAX, Inflow
from warren.core.counters import ExchangeCounts, SessionCounts
from warren.core.messages.address import Address
from warren.core.routing.known_routes import LENT_AT_ONCE, SpareRoutes
from warren.core.routing.route import Route

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


def made(bare: Bare, known_topic_bytes_max: int = 256) -> tuple[Inflow, Any]:
    """An inflow, and the virtual host that its client is in."""
    spare = SpareRoutes()
    spare.left = 0
    broker = SimpleNamespace(store=bare.store, alarms=SimpleNamespace(blocked=None), spare_routes=spare)
    vhost: Any = SimpleNamespace(
        version=0, observed=False, broker=broker, exchange_counts=lambda name: ExchangeCounts()
    )
    counts = SimpleNamespace(own=SessionCounts(vhost))
    client = cast("Any", SimpleNamespace(vhost=vhost, counts=counts))
    return Inflow(client, bare.session, bare.answers, known_topic_bytes_max), vhost


def route(key: str = "a.b", **more: Any) -> Route:
    return Route(Address("amq.topic", key), (cast("Any", BareQueue()),), routed=True, cacheable=True, **more)


class TestAliases:
    """MQTT 5 3.3.2.3.4."""

    def test_an_alias_stands_for_the_topic_that_it_was_last_given_with(self) -> None:
        inflow, _ = made(Bare(client_alias_max=2))
        assert inflow.topic(b"a/b", 1) == "a/b"
        assert inflow.topic(b"c", 2) == "c"
        assert (inflow.topic(b"", 1), inflow.topic(b"", 2)) == ("a/b", "c")
        assert inflow.topic(b"d", 1) == "d"
        assert inflow.topic(b"", 1) == "d"
        assert inflow.topic(b"e", 0) == "e", "without an alias"

    def test_one_that_is_out_of_range(self) -> None:
        inflow, _ = made(Bare(client_alias_max=2))
        with pytest.raises(ProtocolViolation) as refused:
            inflow.topic(b"a", 3)
        assert (refused.value.reason_code, refused.value.clause) == (
            reason_codes.TOPIC_ALIAS_INVALID,
            "MQTT-3.3.2-9",
        )

    @pytest.mark.parametrize("given", [False, True])
    def test_one_that_stands_for_nothing(self, given: bool) -> None:
        inflow, _ = made(Bare(client_alias_max=2))
        if given:
            inflow.topic(b"a", 2)
        with pytest.raises(ProtocolViolation) as refused:
            inflow.topic(b"", 1)
        assert (refused.value.reason_code, refused.value.clause) == (reason_codes.PROTOCOL_ERROR, "MQTT-3.3.2-7")

    def test_a_topic_that_is_none_is_not_given_an_alias(self) -> None:
        inflow, _ = made(Bare(client_alias_max=2))
        with pytest.raises((ProtocolViolation, MalformedPacket)):
            inflow.topic(b"a/#", 1)
        with pytest.raises(ProtocolViolation):
            inflow.topic(b"", 1)

    @pytest.mark.parametrize("level", [versions.V3_1_1, versions.V5])
    def test_no_topic_at_all(self, level: int) -> None:
        inflow, _ = made(Bare(level))
        with pytest.raises((ProtocolViolation, MalformedPacket)):
            inflow.topic(b"", 0)


class TestKnownTopics:
    """What is remembered, for how long, and how much of it."""

    def test_what_led_somewhere_is_known_until_something_changes(self) -> None:
        inflow, vhost = made(Bare())
        assert not inflow.known_now()
        way = route()
        inflow.remember(b"a/b", way)
        known = inflow.known_now()[b"a/b"]
        assert (known.address, known.queues, known.routed) == (way.address, way.queues, True)
        vhost.version += 1
        assert not inflow.known_now()

    def test_not_every_topic_is_worth_it(self) -> None:
        inflow, vhost = made(Bare(), known_topic_bytes_max=3)
        inflow.remember(b"a/bc", route())
        inflow.remember(b"a/b", route("x" * 255))
        inflow.remember(b"a/b", route(observers=(cast("Any", object()),)))
        vhost.observed = True
        inflow.remember(b"a/b", route())
        vhost.observed = False
        vhost.broker.alarms.blocked = "low on memory"
        inflow.remember(b"a/b", route())
        assert not inflow.known_now()
        vhost.broker.alarms.blocked = None
        inflow.remember(b"a/b", route())
        assert set(inflow.known_now()) == {b"a/b"}

    def test_there_may_be_none(self) -> None:
        inflow, _ = made(Bare(), known_topic_bytes_max=-1)
        inflow.remember(b"", route())
        assert not inflow.known_now()

    def test_who_varies_them_endlessly_keeps_the_first_and_starts_over_when_as_many_others_have_come(self) -> None:
        inflow, _ = made(Bare())
        way = route()
        for number in range(2 * KNOWN_TOPICS_MAX):
            inflow.remember(b"%d" % number, way)
        assert set(inflow.known_now()) == {b"%d" % number for number in range(KNOWN_TOPICS_MAX)}
        inflow.remember(b"last", way)
        assert set(inflow.known_now()) == {b"last"}

    def test_more_are_remembered_while_the_broker_has_room_for_them_and_given_back_at_the_end(self) -> None:
        inflow, vhost = made(Bare())
        vhost.broker.spare_routes.left = LENT_AT_ONCE
        for number in range(KNOWN_TOPICS_MAX + LENT_AT_ONCE):
            inflow.remember(b"%d" % number, route())
        assert len(inflow.known_now()) == KNOWN_TOPICS_MAX + LENT_AT_ONCE
        assert vhost.broker.spare_routes.left == 0
        inflow.end()
        assert vhost.broker.spare_routes.left == LENT_AT_ONCE


class TestReceiveMaximum:
    """MQTT-3.3.4-7."""

    def test_what_waits_for_the_disk_counts_and_so_does_what_is_not_released(self) -> None:
        bare = Bare(receive_maximum=3)
        inflow, _ = made(bare)
        bare.answers.answer_publish(1, 1, reason_codes.SUCCESS, stored=True)
        bare.session.note_inbound(2)
        inflow.check_receive_maximum()
        bare.session.note_inbound(3)
        with pytest.raises(Refusal) as refused:
            inflow.check_receive_maximum()
        assert refused.value.reason_code == reason_codes.RECEIVE_MAXIMUM_EXCEEDED
        bare.flush()
        inflow.check_receive_maximum()

    def test_answers_to_what_the_client_answers_do_not(self) -> None:
        bare = Bare(receive_maximum=1)
        inflow, _ = made(bare)
        for packet_id in (1, 2):
            bare.answers.send_in_order(short_answer(PUBREL, packet_id), stored=True)
        inflow.check_receive_maximum()

    def test_mqtt_3_knows_of_none(self) -> None:
        bare = Bare(versions.V3_1_1, receive_maximum=1)
        inflow, _ = made(bare)
        for packet_id in (1, 2):
            bare.session.note_inbound(packet_id)
        inflow.check_receive_maximum()


def test_at_the_end_nothing_is_known() -> None:
    inflow, _ = made(Bare(client_alias_max=1))
    inflow.topic(b"a", 1)
    inflow.remember(b"a", route())
    inflow.end()
    assert not inflow.known_now()
    with pytest.raises(ProtocolViolation):
        inflow.topic(b"", 1)
