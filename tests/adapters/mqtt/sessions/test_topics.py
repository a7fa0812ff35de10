"""Topics as routing keys and back: nothing is lost or confused, and the topic exchange matches as MQTT does."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.adapters.mqtt.sessions.plain_matching import filters, matches, topics
from warren.adapters.mqtt.sessions.topics import binding_key_of, key_of, topic_of
from warren.core.exchanges.topic_trie import TopicTrie

any_topics = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(any_topics | topics)
@example("/")
@example("a//b/")
@example("%2")
@example("%%2E")
@example("%25%2E%252E")
@example("$share/g/t")
def test_every_topic_comes_back(topic: str) -> None:
    assert topic_of(key_of(topic)) == topic


@given(topics, topics)
@example("a.b", "a/b")
@example("%2E", ".")
@example("a/*", "a/%2A")
def test_two_topics_never_have_the_same_key(one: str, other: str) -> None:
    assume(one != other)
    assert key_of(one) != key_of(other)


@given(topics)
def test_words_stay_words(topic: str) -> None:
    assert len(key_of(topic).split(".")) == len(topic.split("/"))


@given(st.text(max_size=20))
def test_whatever_amqp_publishes_with_comes_as_a_topic(key: str) -> None:
    topic = topic_of(key)
    assert bool(topic) == bool(key)
    assert not set("+#\0") & set(topic)
    assert len(topic.split("/")) == len(key.split("."))


@given(st.text(st.sampled_from("ab/.+#%2FEB5"), min_size=1, max_size=12))
def test_a_key_that_amqp_published_with_can_be_answered_under_its_topic(key: str) -> None:
    assume(not any(escape in key for escape in ("%2F", "%2B", "%23", "%00", "%2E", "%25")))
    assert key_of(topic_of(key)) == key


@given(filters, topics)
@example("+", "/")
@example("a/#", "a")
@example("*", "a")
@example("a.b/+", "a/b/c")
def test_the_topic_exchange_matches_what_the_filter_matches(topic_filter: str, topic: str) -> None:
    trie: TopicTrie[str] = TopicTrie()
    trie.insert(binding_key_of(topic_filter).split("."), topic_filter)
    found = bool(trie.match(key_of(topic).split(".")))
    hidden = topic.startswith("$") and topic_filter[:1] in ("+", "#")
    assert found == matches(topic_filter, topic) or hidden


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("a/b", "a.b"),
        ("a.b/c", "a%2Eb.c"),
        ("a/*/c", "a.%2A.c"),
        ("a%2Eb", "a%252Eb"),
        ("a%b", "a%b"),
        ("/", "."),
        ("a/", "a."),
        ("a%2Fb", "a/b"),
        ("a%2Bb", "a+b"),
        ("%23", "#"),
    ],
)
def test_examples(topic: str, key: str) -> None:
    assert key_of(topic) == key
    assert topic_of(key) == topic
