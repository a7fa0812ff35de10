"""A walk of the retained messages that goes on while they change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.sessions.plain_matching import filters, matches, topics
from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.feeding import Slots
from warren.adapters.mqtt.sessions.retained import RetainedMessages, RetainedNode
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY


def message(topic: str) -> Message:
    body = topic.encode()
    return Message(0, Address("amq.topic", "k"), EMPTY, body, 0, len(body), 0, 0)


@given(
    st.sets(topics, max_size=12),
    st.lists(st.tuples(st.booleans(), topics), max_size=12),
    filters,
    st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
def test_a_walk_finds_once_what_was_there_all_the_time(
    kept: set[str], changes: list[tuple[bool, str]], topic_filter: str, steps: list[int]
) -> None:
    retained = RetainedMessages(core_broker(), "/")
    for topic in kept:
        retained.put(topic, message(topic))
    number = retained.number
    walk = retained.walk(topic_filter.split("/"))
    found: list[str] = []

    def note(node: RetainedNode | None) -> None:
        if node is not None and node.message is not None and node.number <= number:
            found.append(node.topic)

    for (is_put, topic), count in zip(changes, steps, strict=False):
        for _ in range(count):
            note(next(walk, None))
        if is_put:
            retained.put(topic, message(topic))
        else:
            retained.remove(topic)
    for node in walk:
        note(node)
    untouched = kept - {topic for _, topic in changes}
    assert {topic for topic in untouched if matches(topic_filter, topic)} <= set(found)
    assert len(found) == len(set(found))
    assert set(found) <= {topic for topic in kept if matches(topic_filter, topic)}


@given(st.integers(1, 3000), st.data())
def test_a_set_of_slots(count: int, data: st.DataObject) -> None:
    """Few and many alike."""
    added = data.draw(st.lists(st.integers(0, count - 1), max_size=60))
    slots = Slots(count)
    for slot in added:
        slots.add(slot)
    assert {slot for slot in range(count) if slot in slots} == set(added)


def test_slots_are_used_again_and_stay_few() -> None:
    retained = RetainedMessages(core_broker(), "/")
    for number in range(50):
        retained.put(f"t/{number}", message("x"))
        retained.put("kept", message("x"))
        retained.remove(f"t/{number}")
    assert retained.slot_count == 2
