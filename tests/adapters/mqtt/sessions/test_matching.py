"""The trie of subscriptions and the store of retained messages find what a plain reading of the specification finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.sessions.plain_matching import filters, matches, topics
from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.retained import RetainedMessages
from warren.adapters.mqtt.sessions.topics import key_of
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY


@given(st.lists(filters, max_size=8), st.lists(filters, max_size=4), topics)
def test_subscriptions(kept: list[str], removed: list[str], topic: str) -> None:
    trie: TopicTrie[str] = TopicTrie.for_mqtt()
    for each in [*kept, *removed]:
        trie.insert(each.split("/"), each)
    for each in removed:
        trie.remove(each.split("/"), each)
    expected = {each for each in kept if each not in removed and matches(each, topic)}
    assert sorted(trie.match(topic.split("/"))) == sorted(expected)


def message(topic: str, body: bytes) -> Message:
    return Message(0, Address("amq.topic", key_of(topic)), EMPTY, body, 0, len(body), 0, 0)


@given(st.lists(topics, max_size=10), st.lists(topics, max_size=4), filters)
def test_retained_messages(kept: list[str], removed: list[str], topic_filter: str) -> None:
    broker = core_broker()
    retained = RetainedMessages(broker, "/")
    for each in [*kept, *removed, *kept]:
        retained.put(each, message(each, each.encode()))
    for each in removed:
        retained.put(each, message(each, b""))
    left = {each for each in kept if each not in removed}
    found = [(topic, found.body.decode()) for topic, found in retained.match(topic_filter.split("/"))]
    assert sorted(found) == sorted((each, each) for each in left if matches(topic_filter, each))
    assert len(retained) == len(left)
    assert retained.body_bytes == sum(len(each.encode()) for each in left)
    for each in left:
        retained.remove(each)
    assert not retained._root.children, "branches without messages stay behind"
