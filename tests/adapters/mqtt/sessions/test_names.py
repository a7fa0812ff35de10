"""Sparkplug's topics as routing keys and back; all other topics are as without it."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from warren.adapters.mqtt.sessions import topics
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.core.exchanges.topic_trie import TopicTrie

NAMES = TopicNames(sparkplug=True)

namespaces = st.from_regex(
    r"sp[AB]v[0-9]{1,2}(\.|_{1,6}|%2E|%5F)[0-9]", fullmatch=True, alphabet=st.characters(codec="ascii")
)
some_topics = st.builds(
    "".join, st.tuples(namespaces | st.just("a"), st.text(st.sampled_from("ab/._%2E*0"), max_size=8))
)


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("spBv1.0/g/NBIRTH/n", "spBv1___0.g.NBIRTH.n"),
        ("spAv1.0/g.1/x", "spAv1___0.g%2E1.x"),
        ("spBv1.0", "spBv1___0"),
        ("spBv1___0/g", "spBv1____0.g"),
        ("spBv1__0/g", "spBv1__0.g"),
        ("spCv1.0/g", "spCv1%2E0.g"),
        ("a/spBv1.0/g", "a.spBv1%2E0.g"),
        ("spBv1.0x/g", "spBv1%2E0x.g"),
    ],
)
def test_by_example(topic: str, key: str) -> None:
    assert NAMES.key_of(topic) == key
    assert NAMES.topic_of(key) == topic


def test_filters() -> None:
    assert NAMES.binding_key_of("spBv1.0/+/NDATA/#") == "spBv1___0.*.NDATA.#"
    assert NAMES.binding_key_of("+/a") == "*.a"


@given(some_topics)
@example("spBv1.0/")
def test_every_topic_comes_back(topic: str) -> None:
    assert NAMES.topic_of(NAMES.key_of(topic)) == topic


@given(some_topics, some_topics)
@example("spBv1.0/a", "spBv1___0/a")
def test_two_topics_never_have_the_same_key(one: str, other: str) -> None:
    assume(one != other)
    assert NAMES.key_of(one) != NAMES.key_of(other)


@given(some_topics)
def test_a_filter_without_wildcards_matches_its_topic(topic: str) -> None:
    trie: TopicTrie[str] = TopicTrie()
    trie.insert(NAMES.binding_key_of(topic).split("."), topic)
    assert trie.match(NAMES.key_of(topic).split(".")) == [topic]


@given(st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_others_are_as_they_are_without_it(topic: str) -> None:
    assume(not topic.startswith("sp"))
    assert NAMES.key_of(topic) == topics.key_of(topic)
    assert NAMES.topic_of(topics.key_of(topic)) == topic
