"""The consumers that bring a client its messages, without a connection: which there are, and how they end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.adapters.mqtt.bare import Bare, BareQueue, bare_client
from warren.adapters.mqtt.ack_holder import MqttAckHolder
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.outflow import Outflow
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.adapters.mqtt.subscriptions import Subscriptions

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")

OWN = MqttSubscription("a", "a")
OTHER = MqttSubscription("b/+", "b/+", qos=1)
SHARED = MqttSubscription("$share/g/s", "s", group="g", qos=1)
NAMED = MqttSubscription("$queue/n", "$queue/n", queue_name="n", qos=1)


class Place:
    """Subscriptions with a queue for each that there may be, and what they ask of the connection."""

    def __init__(self, *subscriptions: MqttSubscription) -> None:
        self.bare = Bare()
        self.own, self.shared, self.named = (BareQueue(name) for name in ("own", "shared", "n"))
        self.bare.queues = {"": self.own, SHARED.filter: self.shared, NAMED.filter: self.named}
        self.bare.session.subscriptions = {each.filter: each for each in subscriptions}
        self.disconnected: list[tuple[int, str]] = []
        client = bare_client()
        client.counts.own = self.bare.counts
        self.outflow = Outflow(self.bare.session, self.bare.answers, self.bare.counts)
        self.subscriptions = Subscriptions(client, self.bare.session, self.outflow, self._disconnect)

    def _disconnect(self, reason_code: int, text: str) -> None:
        self.disconnected.append((reason_code, text))

    def counts(self) -> tuple[int, int, int]:
        """How many consumers the queues have: its own, the shared and the named one."""
        return len(self.own.consumers), len(self.shared.consumers), len(self.named.consumers)


def test_one_for_all_of_its_own_and_one_for_each_other_queue() -> None:
    place = Place(OWN, OTHER, SHARED, NAMED)
    assert len(place.subscriptions) == 0
    place.subscriptions.begin()
    assert place.counts() == (1, 1, 1)
    assert len(place.subscriptions) == 3
    assert place.own.watched == place.own.consumers, "the watch of the acknowledgement timeout knows"
    consumer = place.subscriptions.consumer_of(SHARED.filter)
    assert consumer is not None
    assert (consumer.subscription, consumer.tag, consumer.session_name()) == (SHARED, SHARED.filter, "peer -> here")
    own = place.subscriptions.consumer_of("")
    assert own is not None
    assert own.subscription is None


def test_a_queue_that_is_gone_brings_nothing() -> None:
    place = Place(NAMED)
    del place.bare.queues[NAMED.filter]
    place.subscriptions.begin()
    assert len(place.subscriptions) == 0
    assert place.subscriptions.consumer_of(NAMED.filter) is None


def test_a_replaced_subscription_keeps_its_consumer() -> None:
    place = Place(SHARED)
    place.subscriptions.begin()
    before = place.subscriptions.consumer_of(SHARED.filter)
    again = MqttSubscription(SHARED.filter, "s", group="g", qos=0)
    place.subscriptions.changed(again)
    assert place.counts() == (0, 1, 0)
    assert place.subscriptions.consumer_of(SHARED.filter) is before
    assert before is not None
    assert before.subscription is again


def test_what_a_topic_means_is_looked_up_anew_after_a_change() -> None:
    place = Place(OWN)
    session = place.bare.session
    place.subscriptions.begin()
    consumer = place.subscriptions.consumer_of("")
    assert consumer is not None
    message = place.bare.message(qos=1, topic="a")
    assert consumer.deliver(message, False)
    assert consumer.no_ack, "QoS 0, as the subscription asks for no more"
    better = MqttSubscription("a", "a", qos=1)
    session.subscriptions["a"] = better
    place.subscriptions.changed(better)
    assert consumer.deliver(message, False)
    assert not consumer.no_ack
    del session.subscriptions["a"]
    place.subscriptions.taken_away()
    place.bare.written()
    assert consumer.deliver(message, False)
    assert place.bare.written() == b"", "nothing matches any more"


def test_leaving_a_queue() -> None:
    place = Place(OWN, SHARED)
    place.subscriptions.begin()
    place.subscriptions.leave_queue(SHARED.filter)
    place.subscriptions.leave_queue(SHARED.filter)
    assert place.counts() == (1, 0, 0)
    place.subscriptions.leave_queue(OWN.filter)
    assert place.counts() == (1, 0, 0), "the session's own queue is left with the session"


def test_without_its_own_queue_a_session_ends_and_with_it_the_connection() -> None:
    place = Place(OWN, NAMED)
    ended: list[object] = []
    registry = cast("Any", place.bare.session.registry)
    registry.forget = ended.append
    registry.subscription_changed = lambda now, before: None
    place.subscriptions.begin()
    consumer = place.subscriptions.consumer_of("")
    assert consumer is not None
    consumer.cancelled()
    assert ended == [place.bare.session]
    assert place.disconnected == [(reason_codes.ADMINISTRATIVE_ACTION, "queue 'own' was deleted")]
    other = place.subscriptions.consumer_of(NAMED.filter)
    assert other is not None
    other.cancelled()
    assert len(place.disconnected) == 1, "it is on its way already"


def test_without_a_named_queue_the_session_lives_on() -> None:
    place = Place(OWN, NAMED)
    place.subscriptions.begin()
    consumer = place.subscriptions.consumer_of(NAMED.filter)
    assert consumer is not None
    consumer.cancelled()
    assert not place.bare.session.ended
    assert place.disconnected == [(reason_codes.ADMINISTRATIVE_ACTION, "queue 'n' was deleted")]


def test_at_the_end_all_leave_and_nothing_happens_any_more() -> None:
    place = Place(OWN, SHARED, NAMED)
    place.subscriptions.begin()
    consumer = place.subscriptions.consumer_of("")
    assert consumer is not None
    place.subscriptions.end()
    assert place.counts() == (0, 0, 0)
    assert len(place.subscriptions) == 0
    consumer.cancelled()
    assert not place.disconnected
    assert not place.bare.session.ended


def test_the_watch_of_the_acknowledgement_timeout_sees_what_is_its_queue_s() -> None:
    place = Place(OWN, SHARED)
    place.subscriptions.begin()
    timed_out: list[tuple[int, str]] = []
    holder = MqttAckHolder(place.subscriptions, lambda code, text: timed_out.append((code, text)))
    assert (holder.unacked, holder.delivery_tag) == ({}, 0)
    consumer = place.subscriptions.consumer_of(SHARED.filter)
    assert consumer is not None
    message = place.bare.message(qos=1, topic="s")
    consumer.deliver(message, False)
    assert holder.unacked == {1: (cast("Any", place.shared), message, consumer)}
    assert holder.delivery_tag == 1
    place.bare.session.acknowledge(1)
    assert not holder.unacked
    holder.acknowledgement_timed_out(consumer, 500)
    ((code, text),) = timed_out
    assert code == reason_codes.IMPLEMENTATION_SPECIFIC_ERROR
    assert "queue 'shared'" in text
    assert "500 ms" in text
