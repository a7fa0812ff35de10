"""Messages to a client, without a connection: the window, who waits for it, aliases, and what is sent again."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.adapters.mqtt.bare import Bare, BareQueue
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, PubRel
from warren.adapters.mqtt.outflow import Outflow
from warren.adapters.mqtt.plan import Plan
from warren.adapters.mqtt.sessions.outgoing import SENT, WAITING
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.core.messages.checks import HIDDEN_DEATHS
from warren.core.messages.properties import encode_properties
from warren.core.queues.deaths import REJECTED

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


class Waiting:
    """A consumer that wants to go on.  takes: how much of the window it uses up then."""

    def __init__(self, outflow: Outflow, takes: int = 0) -> None:
        self.outflow = outflow
        self.takes = takes
        self.resumed = 0
        self.parked = True
        self.queue = BareQueue()

    def resume(self) -> None:
        """Available again: use up the window, or wait again."""
        self.resumed += 1
        if self.outflow.window <= 0:
            self.outflow.starve(cast("Any", self))
        self.outflow.window -= min(self.takes, self.outflow.window)


def end_batch(*waiting: Waiting) -> None:
    """What was put off until then is done."""
    for each in waiting:
        while each.queue.later:
            each.queue.later.pop(0)()


def plan(topic: str = "a/b", qos: int = 2) -> Plan:
    return Plan(topic, [MqttSubscription(topic, topic, qos=qos)])


def made(bare: Bare) -> tuple[Outflow, Any]:
    """An outflow, and a queue that it gets messages from."""
    return Outflow(bare.session, bare.answers, bare.counts), cast("Any", BareQueue())


def publishes(bare: Bare) -> list[Publish]:
    return [packet for packet in bare.packets() if isinstance(packet, Publish)]


def test_each_message_takes_from_the_window_and_its_end_gives_back() -> None:
    bare = Bare(in_flight_max=2)
    outflow, queue = made(bare)
    for body in (b"0", b"1"):
        outflow.send_new(bare.message(body), queue, "", plan(), False)
    assert [(each.payload, each.packet_id, each.qos) for each in publishes(bare)] == [(b"0", 1, 1), (b"1", 2, 1)]
    assert (outflow.window, outflow.sent_count) == (0, 2)
    bare.session.acknowledge(1)
    outflow.window_opened()
    assert outflow.window == 1
    assert len(queue.acknowledged) == 1
    outflow.window_opened()
    outflow.window_opened()
    assert outflow.window == 2, "never more than the client said"


def test_who_found_the_window_used_up_goes_on_when_it_opens() -> None:
    bare = Bare(in_flight_max=1)
    outflow, _ = made(bare)
    outflow.window = 0
    first, second = Waiting(outflow, takes=1), Waiting(outflow, takes=1)
    outflow.consumers = cast("Any", {"first": first, "second": second})
    for each in (first, second, first):
        outflow.starve(cast("Any", each))
    outflow.window_opened()
    end_batch(first, second)
    assert (first.resumed, second.resumed) == (0, 1), "the first had its turn later"
    assert outflow.window == 0
    outflow.starve(cast("Any", second))
    outflow.window_opened()
    end_batch(first, second)
    assert (first.resumed, second.resumed) == (1, 1)


def test_it_is_offered_to_all_where_those_who_waited_longest_have_nothing() -> None:
    bare = Bare(in_flight_max=1)
    outflow, _ = made(bare)
    outflow.window = 0
    first, second = Waiting(outflow), Waiting(outflow)
    outflow.consumers = cast("Any", {"first": first, "second": second})
    for each in (first, second):
        each.queue.ready_count = 0
        outflow.starve(cast("Any", each))
    outflow.window_opened()
    assert (first.resumed, second.resumed) == (0, 0)
    (call,) = (*first.queue.later, *second.queue.later)
    call()
    assert (first.resumed, second.resumed) == (1, 1)


def test_the_qos_is_the_lower_of_message_and_subscription() -> None:
    bare = Bare()
    outflow, queue = made(bare)
    for of_message, of_plan in ((1, 2), (2, 1), (2, 2)):
        outflow.send_new(bare.message(qos=of_message), queue, "", plan(qos=of_plan), False)
    assert [each.qos for each in publishes(bare)] == [1, 1, 2]


def test_a_redelivered_message_is_marked_as_duplicate() -> None:
    bare = Bare()
    outflow, queue = made(bare)
    outflow.send_new(bare.message(), queue, "", plan(), True)
    outflow.send_new(bare.message(), queue, "", plan(), False)
    assert [each.duplicate for each in publishes(bare)] == [True, False]


def test_the_packet_identifier_of_qos_2_is_on_disk_before_the_message_goes() -> None:
    bare = Bare(stored=True)
    outflow, queue = made(bare)
    message = bare.message(qos=2)
    outflow.send_new(message, queue, "", plan(), False)
    (outgoing,) = bare.session.outgoing.values()
    assert outgoing.state == WAITING
    assert queue.acknowledged == [message], "it is the session's own now"
    assert len(bare.store.kept) == 1
    assert bare.written() == b""
    bare.flush()
    assert [(each.qos, each.packet_id) for each in publishes(bare)] == [(2, 1)]
    assert outgoing.state == SENT


def test_what_was_settled_while_it_waited_is_not_sent() -> None:
    bare = Bare(stored=True)
    outflow, queue = made(bare)
    outflow.send_new(bare.message(qos=2), queue, "", plan(), False)
    bare.session.acknowledge(1)
    bare.flush()
    assert bare.written() == b""


class TestTooLarge:
    """MQTT-3.1.2-24, -25."""

    def test_it_is_dropped_as_if_it_had_been_sent(self) -> None:
        bare = Bare(packet_bytes_max=50)
        outflow, queue = made(bare)
        message = bare.message(b"x" * 60)
        outflow.send_new(message, queue, "", plan(), False)
        assert bare.written() == b""
        assert queue.discarded == [message]
        assert (bare.world.dropped, outflow.window, len(bare.session.outgoing)) == (1, 10, 0)

    def test_the_last_byte_counts(self) -> None:
        bare = Bare(packet_bytes_max=50)
        outflow, queue = made(bare)
        overhead = 2 + 2 + len("a/b") + 2 + 1
        outflow.send_new(bare.message(b"x" * (50 - overhead)), queue, "", plan(), False)
        assert len(bare.written()) == 50
        outflow.send_new(bare.message(b"x" * (51 - overhead)), queue, "", plan(), False)
        assert bare.written() == b""

    def test_one_that_comes_back_for_the_same_reason_goes_for_good(self) -> None:
        bare = Bare(packet_bytes_max=50)
        outflow, queue = made(bare)
        deaths: Any = [{"queue": "q", "reason": REJECTED}]
        properties = encode_properties(delivery_mode=2, headers={"x-death": deaths, HIDDEN_DEATHS: 1})
        message = bare.message(b"x" * 60, properties=properties)
        outflow.send_new(message, queue, "", plan(), False)
        assert (queue.acknowledged, queue.discarded) == ([message], [])

    def test_one_whose_publisher_says_so_is_dead_lettered_all_the_same(self) -> None:
        bare = Bare(packet_bytes_max=50)
        outflow, queue = made(bare)
        deaths: Any = [{"queue": "q", "reason": REJECTED}]
        message = bare.message(b"x" * 60, properties=encode_properties(delivery_mode=2, headers={"x-death": deaths}))
        outflow.send_new(message, queue, "", plan(), False)
        assert (queue.acknowledged, queue.discarded) == ([], [message])


class TestAliases:
    """Topic aliases that the client is given (MQTT 5 3.3.2.3.4)."""

    def sent(self, bare: Bare, outflow: Outflow, plans: list[Plan]) -> list[tuple[str, int | None]]:
        for each in plans:
            bare.outbox.write(outflow.qos_0_packet(each, bare.message(qos=0)))
        return [(each.topic, each.properties.get("topic_alias")) for each in publishes(bare)]

    def test_a_topic_is_spelled_once(self) -> None:
        bare = Bare(alias_max=1)
        outflow, _ = made(bare)
        long, other = plan("a/long/topic"), plan("another/one")
        assert outflow.has_aliases_left
        assert self.sent(bare, outflow, [long, long, other]) == [("a/long/topic", 1), ("", 1), ("another/one", None)]
        assert not outflow.has_aliases_left, "the client takes one"

    def test_a_topic_that_is_no_longer_than_an_alias_gets_none(self) -> None:
        bare = Bare(alias_max=1)
        outflow, _ = made(bare)
        assert self.sent(bare, outflow, [plan("abc")]) == [("abc", None)]
        assert outflow.has_aliases_left

    def test_mqtt_3_has_none(self) -> None:
        bare = Bare(versions.V3_1_1, alias_max=1)
        outflow, _ = made(bare)
        assert not outflow.gives_aliases
        assert not outflow.has_aliases_left

    def test_one_that_does_not_fit_into_the_packet_is_not_given(self) -> None:
        bare = Bare(alias_max=1, packet_bytes_max=20)
        outflow, _ = made(bare)
        assert self.sent(bare, outflow, [plan("t" * 14)]) == [("t" * 14, None)], "19 bytes, and 3 for an alias"
        assert outflow.has_aliases_left


class TestResending:
    """What an earlier connection left is sent again before anything new, in order (MQTT-4.4.0-1, MQTT-4.6.0-1)."""

    def left(self, bare: Bare, count: int) -> None:
        """An earlier connection sent so many messages of QoS 1, and ended."""
        outflow, queue = made(bare)
        outflow.window = outflow.window_max = count
        for number in range(count):
            outflow.send_new(bare.message(b"%d" % number), queue, "", plan(), False)
        outflow.end()
        bare.written()

    def test_as_far_as_the_client_takes_it(self) -> None:
        bare = Bare(in_flight_max=2)
        self.left(bare, 4)
        outflow, _ = made(bare)
        starved = Waiting(outflow)
        outflow.resend()
        outflow.starve(cast("Any", starved))
        sent = publishes(bare)
        assert [(each.payload, each.packet_id, each.duplicate) for each in sent] == [(b"0", 1, True), (b"1", 2, True)]
        for packet_id, expected in ((1, [b"2"]), (2, [b"3"])):
            bare.session.acknowledge(packet_id)
            outflow.window_opened()
            assert [each.payload for each in publishes(bare)] == expected
            assert not starved.resumed, "what is new waits for what is old"
        bare.session.acknowledge(3)
        outflow.window_opened()
        assert starved.resumed == 1

    def test_as_the_outbox_has_room(self) -> None:
        bare = Bare(in_flight_max=5)
        self.left(bare, 5)
        outflow, _ = made(bare)
        bare.outbox.room = 10
        outflow.resend()
        assert [each.payload for each in publishes(bare)] == [b"0"], "until there is no room"
        assert list(bare.outbox.parked) == [outflow]
        bare.outbox.room = 0
        outflow.window_opened()
        assert publishes(bare) == []
        assert list(bare.outbox.parked) == [outflow], "once"
        bare.outbox.sent(0)
        assert [each.payload for each in publishes(bare)] == [b"1", b"2", b"3", b"4"]
        assert not bare.outbox.parked
        outflow.resume()
        assert publishes(bare) == []

    def test_without_what_was_settled_meanwhile(self) -> None:
        bare = Bare(in_flight_max=1)
        self.left(bare, 3)
        outflow, _ = made(bare)
        outflow.resend()
        bare.session.acknowledge(2)
        bare.session.acknowledge(1)
        outflow.window_opened()
        assert [each.payload for each in publishes(bare)] == [b"0", b"2"]

    def test_a_release_is_sent_again(self) -> None:
        bare = Bare()
        outflow, queue = made(bare)
        outflow.send_new(bare.message(qos=2), queue, "", plan(), False)
        bare.session.release(1)
        outflow.end()
        bare.written()
        again, _ = made(bare)
        again.resend()
        assert bare.packets() == [PubRel(1)]
        assert again.window == 9

    def test_one_whose_identifier_never_reached_the_disk_waits_and_is_no_duplicate(self) -> None:
        bare = Bare(stored=True)
        outflow, queue = made(bare)
        outflow.send_new(bare.message(qos=2), queue, "", plan(), False)
        outflow.end()
        bare.answers.end()
        again, _ = made(bare)
        again.resend()
        assert bare.written() == b""
        bare.flush()
        assert [(each.qos, each.duplicate) for each in publishes(bare)] == [(2, False)]

    def test_one_that_the_client_takes_no_more_gives_its_place_back(self) -> None:
        bare = Bare()
        self.left(bare, 1)
        smaller = Bare(packet_bytes_max=8)
        outflow = Outflow(bare.session, smaller.answers, bare.counts)
        outflow.resend()
        assert smaller.written() == b""
        assert outflow.window == 10
        assert not bare.session.outgoing


@pytest.mark.parametrize("opened", [False, True])
def test_at_the_end_nobody_waits_and_what_was_sent_is_counted(opened: bool) -> None:
    bare = Bare(stored=True, in_flight_max=2)
    outflow, queue = made(bare)
    outflow.send_new(bare.message(qos=1), queue, "", plan(), False)
    outflow.send_new(bare.message(qos=2), queue, "", plan(), False)
    starved = Waiting(outflow)
    outflow.starve(cast("Any", starved))
    bare.written()
    outflow.end()
    assert (bare.world.publish_sent, outflow.sent_count, outflow.window) == (1, 0, 0)
    if opened:
        outflow.window_opened()
    bare.flush()
    assert bare.written() == b"", "what waited for the disk isn't sent any more"
    assert not starved.resumed
