"""The topic trie: the meaning of wildcards as tables, against a naive matcher, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.exchanges.topic_trie import TopicTrie

Words = tuple[str, ...]

AMQP_CASES = [
    # pattern, topic, whether it matches
    ("", "", True),
    ("", "a", False),
    ("#", "", True),
    ("#", "a.b.c", True),
    ("*", "", False),
    ("*", "a", True),
    ("*", "a.b", False),
    ("a", "a", True),
    ("a", "b", False),
    ("a", "a.b", False),
    ("a.b", "a", False),
    ("a.*.b", "a..b", True),
    ("a.b", "a..b", False),
    ("*.*.*", "a..b", True),
    ("*.*", ".", True),
    ("a.#", "a", True),
    ("a.#", "a.b.c", True),
    ("a.#", "b", False),
    ("#.a", "a", True),
    ("#.a", "b.c.a", True),
    ("#.a", "b.a.c", False),
    ("#.#", "", True),
    ("#.*", "", False),
    ("*.#", "a", True),
    ("#.#.*", "a", True),
    ("#.a.#", "b.a.c", True),
    ("#.a.#.b", "a.a.b.a.b", True),
    ("#.a.#.b", "b.a", False),
    ("a.#.#.b", "a.b", True),
    ("*.#.*", "a", False),
    ("a*", "ab", False),
    ("a*", "a*", True),
    ("#", "$SYS.a", True),
    ("*.a", "$SYS.a", True),
    ("a.b", "a.#", False),
    ("+", "a", False),
]

MQTT_CASES = [
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/tennis/player1/#", "sport/tennis", False),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("#", "a", True),
    ("#", "/", True),
    ("+/#", "a", True),
    ("#", "$SYS/broker", False),
    ("#", "$SYS", False),
    ("+", "$SYS", False),
    ("+/#", "$SYS", False),
    ("+/monitor/Clients", "$SYS/monitor/Clients", False),
    ("$SYS/#", "$SYS", True),
    ("$SYS/#", "$SYS/monitor", True),
    ("$SYS/+", "$SYS/monitor", True),
    ("a/+", "a/$b", True),
    ("a/#", "a/$b", True),
    ("*", "a", False),
]


def split(text: str, separator: str) -> Words:
    return tuple(text.split(separator)) if text else ()


@pytest.mark.parametrize(("pattern", "topic", "expected"), AMQP_CASES)
def test_amqp_patterns(pattern: str, topic: str, expected: bool) -> None:
    trie: TopicTrie[str] = TopicTrie()
    trie.insert(split(pattern, "."), "value")
    assert trie.match(split(topic, ".")) == (["value"] if expected else [])


@pytest.mark.parametrize(("pattern", "topic", "expected"), MQTT_CASES)
def test_mqtt_filters(pattern: str, topic: str, expected: bool) -> None:
    trie: TopicTrie[str] = TopicTrie.for_mqtt()
    trie.insert(split(pattern, "/"), "value")
    assert trie.match(split(topic, "/")) == (["value"] if expected else [])


@pytest.mark.parametrize("words", [("#", "a"), ("a", "#", "b"), ("#", "#")])
def test_mqtt_refuses_many_words_before_the_end(words: Words) -> None:
    trie: TopicTrie[str] = TopicTrie.for_mqtt()
    with pytest.raises(ValueError, match="last word"):
        trie.insert(words, "value")
    assert (len(trie), trie.node_count) == (0, 0)


def test_a_value_is_kept_once_for_each_pattern() -> None:
    trie: TopicTrie[str] = TopicTrie()
    assert trie.insert(("a", "*"), "value")
    assert not trie.insert(("a", "*"), "value")
    assert trie.insert(("a", "#"), "value")
    assert trie.insert(("a", "*"), "other")
    assert len(trie) == 3
    assert sorted(trie.match(("a", "b"))) == ["other", "value", "value"]
    assert trie.remove(("a", "*"), "value")
    assert not trie.remove(("a", "*"), "value")
    assert sorted(trie.match(("a", "b"))) == ["other", "value"]


@pytest.mark.parametrize("words", [(), ("a",), ("a", "b", "c"), ("a", "*"), ("#",)])
def test_removing_what_is_not_there_changes_nothing(words: Words) -> None:
    trie: TopicTrie[str] = TopicTrie()
    trie.insert(("a", "b"), "value")
    assert not trie.remove(words, "value")
    assert not trie.remove(("a", "b"), "other")
    assert (len(trie), trie.node_count) == (1, 2)
    assert trie.match(("a", "b")) == ["value"]


def naive_match(pattern: Words, topic: Words, one: str, many: str) -> bool:
    """Wildcards by their definition, trying every possibility."""
    if not pattern:
        return not topic
    if pattern[0] == many:
        return any(naive_match(pattern[1:], topic[used:], one, many) for used in range(len(topic) + 1))
    return bool(topic) and pattern[0] in (one, topic[0]) and naive_match(pattern[1:], topic[1:], one, many)


def naive_mqtt_match(pattern: Words, topic: Words) -> bool:
    hidden = topic[:1] and topic[0].startswith("$") and pattern[:1] in (("+",), ("#",))
    return not hidden and naive_match(pattern, topic, "+", "#")


words_of_topics = st.lists(st.sampled_from(["a", "b", "", "*", "#", "+", "$a"]), max_size=6).map(tuple)
amqp_patterns = st.lists(st.sampled_from(["a", "b", "", "*", "#", "#"]), max_size=6).map(tuple)
mqtt_patterns = st.tuples(
    st.lists(st.sampled_from(["a", "b", "", "+", "$a"]), max_size=5).map(tuple), st.sampled_from([(), ("#",)])
).map(lambda parts: parts[0] + parts[1])


@given(st.lists(amqp_patterns, max_size=12), words_of_topics)
def test_amqp_like_the_naive_matcher(patterns: list[Words], topic: Words) -> None:
    trie: TopicTrie[int] = TopicTrie()
    for number, pattern in enumerate(patterns):
        trie.insert(pattern, number)
    expected = [number for number, pattern in enumerate(patterns) if naive_match(pattern, topic, "*", "#")]
    assert sorted(trie.match(topic)) == expected


@given(st.lists(mqtt_patterns, max_size=12), words_of_topics)
def test_mqtt_like_the_naive_matcher(patterns: list[Words], topic: Words) -> None:
    trie: TopicTrie[int] = TopicTrie.for_mqtt()
    for number, pattern in enumerate(patterns):
        trie.insert(pattern, number)
    expected = [number for number, pattern in enumerate(patterns) if naive_mqtt_match(pattern, topic)]
    assert sorted(trie.match(topic)) == expected


@given(st.lists(st.tuples(st.booleans(), amqp_patterns, st.integers(0, 2)), max_size=40), words_of_topics)
def test_inserting_and_removing_leaves_exactly_the_nodes_needed(
    steps: list[tuple[bool, Words, int]], topic: Words
) -> None:
    trie: TopicTrie[int] = TopicTrie()
    model: set[tuple[Words, int]] = set()
    for is_insert, pattern, value in steps:
        entry = (pattern, value)
        if is_insert:
            assert trie.insert(pattern, value) == (entry not in model)
            model.add(entry)
        else:
            assert trie.remove(pattern, value) == (entry in model)
            model.discard(entry)
        assert_holds(trie, model)
    assert sorted(trie.match(topic)) == sorted(
        value for pattern, value in model if naive_match(pattern, topic, "*", "#")
    )
    for pattern, value in model:
        assert trie.remove(pattern, value)
    assert_holds(trie, set())


def assert_holds(trie: TopicTrie[int], model: set[tuple[Words, int]]) -> None:
    """There is a node for every prefix of a pattern in the model, and no other."""
    prefixes = {pattern[:end] for pattern, _ in model for end in range(1, len(pattern) + 1)}
    assert (len(trie), trie.node_count) == (len(model), len(prefixes))


class CountedWord(str):
    """A word that counts how often it is hashed or compared: once or twice for each node that it can leave."""

    __slots__ = ()
    lookups: ClassVar[int] = 0

    def __hash__(self) -> int:
        CountedWord.lookups += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedWord.lookups += 1
        return super().__eq__(other)


def lookups_to_match(trie: TopicTrie[int], topic: Sequence[str]) -> tuple[int, list[int]]:
    counted = [CountedWord(word) for word in topic]
    CountedWord.lookups = 0
    found = trie.match(counted)
    return CountedWord.lookups, found


@pytest.mark.interpreted("counts look-ups by words of its own, which the compiled form doesn't call")
@pytest.mark.parametrize("unit", [("#", "a"), ("#", "*", "a"), ("#", "#", "a"), ("#", "a", "b", "a")])
@pytest.mark.parametrize("ending", [(), ("no such word",)])
def test_cost_is_words_times_nodes_however_many_wildcards(unit: Words, ending: Words) -> None:
    trie: TopicTrie[int] = TopicTrie()
    trie.insert(unit * 30 + ending, 1)
    topic = ("a", "b") * 63 + ("a",)
    lookups, found = lookups_to_match(trie, topic)
    assert 0 < lookups <= 2 * len(topic) * (trie.node_count + 1)
    assert found == ([] if ending else [1])


@pytest.mark.interpreted("counts look-ups by words of its own, which the compiled form doesn't call")
def test_cost_does_not_grow_with_patterns_of_other_words() -> None:
    trie: TopicTrie[int] = TopicTrie()
    trie.insert(("a", "*", "c"), 0)
    alone, _ = lookups_to_match(trie, ("a", "b", "c"))
    for number in range(1, 2000):
        trie.insert((f"other{number}", "*", "c"), number)
        trie.insert(("a", "*", f"other{number}"), number)
    among_others, found = lookups_to_match(trie, ("a", "b", "c"))
    assert found == [0]
    assert 0 < among_others <= 2 * alone


def test_many_words_at_the_end_cost_nothing_for_the_words_they_swallow() -> None:
    trie: TopicTrie[int] = TopicTrie.for_mqtt()
    trie.insert(("a", "#"), 1)
    trie.insert(("#",), 2)
    lookups, found = lookups_to_match(trie, ("a",) * 30_000)
    assert sorted(found) == [1, 2]
    assert lookups <= 2


def test_depth_is_limited_by_memory_only() -> None:
    words = ("a", "*") * 20_000 + ("#",)
    trie: TopicTrie[int] = TopicTrie()
    trie.insert(words, 1)
    assert trie.match(("a", "b") * 20_000) == [1]
    assert trie.node_count == 40_001
    assert trie.remove(words, 1)
    assert trie.node_count == 0


def test_a_deep_trie_can_be_dropped() -> None:
    trie: TopicTrie[int] = TopicTrie()
    trie.insert(("a",) * 40_000, 1)
    del trie
