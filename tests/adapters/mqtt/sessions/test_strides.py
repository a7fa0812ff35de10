"""What is under way in strides is what it would be one by one, whenever somebody looks, however it is acknowledged."""

from __future__ import annotations

import random
import struct
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.bare import Bare, BareQueue
from warren.adapters.mqtt.sessions import strides
from warren.adapters.mqtt.sessions.outgoing import SENT
from warren.core.messages.message import Message

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


class SettlingQueue(BareQueue):
    """A queue that takes many acknowledgements at once, too."""

    def acknowledge_all(self, messages: list[Message]) -> None:
        self.acknowledged += messages


class Sent:
    """A session, and what it should hold: number, message, queue and filter by packet identifier."""

    def __init__(self, packet_id: int) -> None:
        self.bare = Bare()
        self.session = self.bare.session
        self.session._packet_id = packet_id
        self.queues: list[Any] = [SettlingQueue("a"), SettlingQueue("b")]
        self.expected: dict[int, tuple[int, Message, Any, str]] = {}
        self.settled: list[list[Message]] = [[], []]
        self.number = 0

    def stride(self, count: int, which: int) -> None:
        """Send so many, as far as there is room, of one queue."""
        count = min(count, self.session.stride_room())
        if not count:
            return self.one(1, which)
        messages = [self.bare.message(b"%d" % number) for number in range(count)]
        first = self.session.send_stride(list(messages), self.queues[which], "ab"[which])
        assert not self.expected.keys() & set(range(first, first + count)), "an identifier was in use"
        assert first >> 8 == first + count - 1 >> 8
        for packet_id, message in enumerate(messages, first):
            self._expect(packet_id, message, which)
        return None

    def one(self, qos: int, which: int) -> None:
        """Send one by itself."""
        message = self.bare.message()
        outgoing = self.session.send(message, self.queues[which], qos, "ab"[which])
        assert outgoing.packet_id not in self.expected
        self._expect(outgoing.packet_id, message, which)

    def _expect(self, packet_id: int, message: Message, which: int) -> None:
        self.number += 1
        self.expected[packet_id] = self.number, message, self.queues[which], "ab"[which]

    def acknowledge(self, packet_ids: list[int]) -> None:
        """PUBACKs as they come in one read: rows where they are such, each by itself where they aren't."""
        data = b"".join([struct.pack(">HH", 0x4002, packet_id) for packet_id in packet_ids])
        position = 0
        while position < len(data):
            taken = self.session.acknowledge_row(data, position, len(data))
            if not taken:
                self.session.acknowledge(struct.unpack_from(">H", data, position + 2)[0])
                taken = 1
            position += 4 * taken
        for packet_id in packet_ids:
            gone = self.expected.pop(packet_id, None)
            if gone is not None:
                self.settled[self.queues.index(gone[2])].append(gone[1])

    def look(self) -> None:
        """What is there is what should be, in its order."""
        assert self.session.outgoing_count == len(self.expected)
        found = {
            packet_id: (each.number, each.message, each.queue, each.source)
            for packet_id, each in self.session.outgoing.items()
        }
        assert list(found.items()) == list(self.expected.items())
        assert all(each.packet_id == packet_id for packet_id, each in self.session.outgoing.items())
        assert {each.state for each in self.session.outgoing.values()} <= {SENT}

    def check_settled(self) -> None:
        """Each was acknowledged once, in the order of the acknowledgements."""
        assert [queue.acknowledged for queue in self.queues] == self.settled


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["stride", "stride", "one", "twice", "in order", "in order", "some", "stranger", "look"]),
        st.integers(1, 300),
        st.integers(0, 1),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([0, 1, 250, 255, 65_400, 65_534, 65_535]), st.randoms(use_true_random=False))
def test_strides_are_as_one_by_one(steps: list[tuple[str, int, int]], packet_id: int, chance: random.Random) -> None:
    sent = Sent(packet_id)
    for step, count, which in steps:
        known = list(sent.expected)
        if step == "stride":
            sent.stride(count, which)
        elif step == "one":
            sent.one(1 + which, which)
        elif step == "twice":
            sent.acknowledge(known[:3] + known[:3])
        elif step == "in order":
            sent.acknowledge(known[:count])
        elif step == "some":
            sent.acknowledge(chance.sample(known, min(len(known), count)))
        elif step == "stranger":
            sent.acknowledge([each for each in (packet_id or 1, 40_000) if each not in sent.expected])
        else:
            sent.look()
    sent.look()
    sent.check_settled()


def test_strides_go_round_without_giving_away_what_is_in_use() -> None:
    sent = Sent(0)
    sent.stride(1, 0)
    (first,) = sent.expected
    for _ in range(300):
        sent.stride(255, 1)
        sent.acknowledge(list(sent.expected)[1:])
    sent.look()
    assert list(sent.expected) == [first]


def test_what_is_sent_singly_shares_the_identifiers_with_strides() -> None:
    sent = Sent(0)
    sent.one(2, 0)
    sent.session._packet_id = 0
    assert sent.session.stride_room() == 0
    sent.stride(5, 0)
    assert list(sent.expected) == [1, 2]


def test_no_more_is_in_strides_than_may_be_unfolded_at_once() -> None:
    sent = Sent(0)
    while sent.session.stride_room():
        sent.stride(200, 0)
    assert len(sent.expected) == strides.MESSAGES_MAX
    sent.one(1, 0)
    assert sent.session.stride_room() > 0, "they are unfolded"
    sent.look()


def test_no_more_strides_than_may_be_taken_from_the_front_of_a_list() -> None:
    sent = Sent(0)
    for number in range(strides.STRIDES_MAX):
        assert sent.session.stride_room() > 0
        sent.stride(1, number % 2)
    assert sent.session.stride_room() == 0
    sent.stride(1, 0)
    sent.look()


def test_a_stride_goes_on_where_the_last_one_ended() -> None:
    sent = Sent(0)
    for _ in range(strides.STRIDES_MAX + 10):
        sent.stride(2, 0)
    assert len(sent.expected) == 2 * (strides.STRIDES_MAX + 10)
    assert sent.session.acknowledge_row(b"\x40\x02\0\x01" * 2, 0, 8) == 1
    assert sent.queues[0].acknowledged == [sent.expected[1][1]]


def test_a_session_that_ends_settles_its_strides() -> None:
    sent = Sent(0)
    sent.stride(5, 0)
    taken = sent.session.take_outgoing()
    assert list(taken) == [1, 2, 3, 4, 5]
    assert sent.session.outgoing_count == 0
    assert sent.session.outgoing == {}


def test_acknowledgements_that_are_cut_wait_for_the_rest() -> None:
    sent = Sent(0)
    sent.stride(2, 0)
    data = b"\x40\x02\0\x01\x40\x02\0"
    assert sent.session.acknowledge_row(data, 0, len(data)) == 1
    assert sent.session.acknowledge_row(data, 4, len(data)) == 0
    assert cast("Any", sent.session)._strides.count == 1
