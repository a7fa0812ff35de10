"""Topic names and filters: what is valid, and their words."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.adapters.mqtt.codec.strategies import filters, topics
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import MalformedPacket, PacketError
from warren.adapters.mqtt.codec.topics import (
    TopicFilter,
    check_filter,
    check_topic_name,
    parse_filter,
    topic_name,
    words_of,
)


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("a", ("a",)),
        ("a/b", ("a", "b")),
        ("/a", ("", "a")),
        ("a/", ("a", "")),
        ("/", ("", "")),
        ("a//b", ("a", "", "b")),
        ("$SYS/x", ("$SYS", "x")),
        (" a.b ", (" a.b ",)),
    ],
)
def test_words(topic: str, words: tuple[str, ...]) -> None:
    check_topic_name(topic)
    assert words_of(topic) == words
    assert check_filter(topic) == words


@pytest.mark.parametrize("text", ["#", "+", "+/+", "+/#", "/+", "+/", "a/+/b", "a/#", "/#", "$SYS/#", "+/b/#", "ab/+/"])
def test_valid_filters(text: str) -> None:
    assert parse_filter(text) == TopicFilter("", text, words_of(text))
    assert parse_filter(text).has_wildcards


@pytest.mark.parametrize("text", ["a#", "a/#/b", "#/", "##", "+a", "a+", "a/b+/c", "++", "+#", "#+", ""])
def test_invalid_filters(text: str) -> None:
    with pytest.raises(MalformedPacket) as refused:
        parse_filter(text)
    assert refused.value.reason_code == reason_codes.TOPIC_FILTER_INVALID


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("$share/g/a", TopicFilter("g", "a", ("a",))),
        ("$share/g//a", TopicFilter("g", "/a", ("", "a"))),
        ("$share/g/#", TopicFilter("g", "#", ("#",))),
        ("$share/g/+/b", TopicFilter("g", "+/b", ("+", "b"))),
        ("$share/g/$share/h/a", TopicFilter("g", "$share/h/a", ("$share", "h", "a"))),
        ("$shared/g/a", TopicFilter("", "$shared/g/a", ("$shared", "g", "a"))),
        ("$queue/q", TopicFilter("", "$queue/q", ("$queue", "q"))),
        ("a/$share/g", TopicFilter("", "a/$share/g", ("a", "$share", "g"))),
    ],
)
def test_shared_filters(text: str, parsed: TopicFilter) -> None:
    assert parse_filter(text) == parsed


@pytest.mark.parametrize(
    "text", ["$share", "$share/", "$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/g/a#"]
)
def test_invalid_shared_filters(text: str) -> None:
    with pytest.raises(MalformedPacket) as refused:
        parse_filter(text, versions.V3_1_1)
    assert refused.value.reason_code == reason_codes.TOPIC_FILTER_INVALID


@given(topics)
def test_topic_names_are_kept_as_they_are(topic: str) -> None:
    assert topic_name(topic.encode()) == topic
    assert "/".join(words_of(topic)) == topic


@given(filters)
def test_filters_are_put_together_again(text: str) -> None:
    parsed = parse_filter(text)
    share = f"$share/{parsed.share_name}/" if parsed.share_name else ""
    assert share + "/".join(parsed.words) == text


@pytest.mark.parametrize("raw", [b"", b"a/+", b"#", b"a\x00", b"\xff", b"\xed\xa0\x80"])
def test_what_is_no_topic_name(raw: bytes) -> None:
    with pytest.raises(PacketError):
        topic_name(raw)


def test_a_byte_order_mark_is_kept() -> None:
    """MQTT-1.5.4-3."""
    assert topic_name(b"\xef\xbb\xbfa") == "\ufeffa"
