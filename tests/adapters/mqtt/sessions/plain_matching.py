"""Which topics a filter matches, read off the specification word by word (MQTT 5 4.7): slow, and sharing nothing with
the broker; and topics and filters for hypothesis that meet often."""

from __future__ import annotations

from hypothesis import strategies as st

ODD_WORDS = (
    "",
    "a",
    "b",
    "a.b",
    ".",
    "*",
    "**",
    "%2E",
    "%",
    "%25",
    "%2A",
    "%2a",
    "%252E",
    "$x",
    "é",
    "日本",
    " ",
    "%2F",
)
"""What is a separator, a wildcard or an escape on AMQP's side, and what is none on either."""

words = st.sampled_from(ODD_WORDS) | st.text(
    st.characters(exclude_characters="\0+#/", exclude_categories=["Cs"]), max_size=3
)

topics = st.builds(
    lambda first, others: "/".join([first, *others]),
    words | st.sampled_from(["$SYS", "$x"]),
    st.lists(words, max_size=4),
).filter(bool)

_filter_words = st.sampled_from(("+", "+", "a", "b", "", "a.b", "*", "$x", "$SYS"))

filters = st.builds(
    lambda words, tail: "/".join([*words, *tail]),
    st.lists(_filter_words, max_size=4),
    st.sampled_from([(), (), ("#",)]),
).filter(lambda text: text not in ("", "$share") and not text.startswith("$share/"))


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter without share name matches a topic."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    return _matches(topic_filter.split("/"), topic.split("/"))


def _matches(pattern: list[str], topic: list[str]) -> bool:
    if not pattern:
        return not topic
    if pattern[0] == "#":
        return True
    if not topic or pattern[0] not in ("+", topic[0]):
        return False
    return _matches(pattern[1:], topic[1:])
