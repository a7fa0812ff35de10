"""Topic names and topic filters (MQTT 5 4.7, 4.8.2): what is valid, and their words.

    a/b/c               a topic name: words between slashes; a word may be empty
    a/+/c               a filter: `+` stands for one word
    a/#                 `#` stands for any number of words at the end, none included, so `a` matches
    $share/NAME/a/#     a shared subscription: its filter is `a/#`, and NAME the group that shares

A `+` or `#` must be a whole word.  Nothing is normalized (4.7.3-4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.errors import MalformedPacket, ProtocolViolation
from warren.adapters.mqtt.codec.reader import decode_text

SHARE_PREFIX: Final = "$share/"
SHARE_WORD: Final = "$share"
"""What a shared subscription's filter begins with (4.8.2); the word alone is one that lacks its name."""


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A filter taken apart.

    share_name: the group of a shared subscription; empty when it isn't shared.  filter: what topics are matched with,
    without the share name.  words: the filter's.
    """

    share_name: str
    filter: str
    words: tuple[str, ...]

    @property
    def has_wildcards(self) -> bool:
        """Whether the filter can match more than one topic."""
        return "+" in self.words or self.words[-1] == "#"


def words_of(topic: str) -> tuple[str, ...]:
    """The words of a topic name or of a filter without share name."""
    return tuple(topic.split("/"))


def topic_name(raw: bytes, level: int = versions.V5) -> str:
    """The topic name that `raw` encodes; MalformedPacket, or ProtocolViolation with 0x90, when it is none."""
    topic = decode_text(raw, level)
    check_topic_name(topic, level)
    return topic


def check_topic_name(topic: str, level: int = versions.V5) -> None:
    """ProtocolViolation 0x90 when `topic` is empty or has wildcards in it."""
    if "+" in topic or "#" in topic:
        raise ProtocolViolation(
            reason_codes.TOPIC_NAME_INVALID,
            clauses.TOPIC_WITHOUT_WILDCARDS.of(level),
            f"the topic name '{topic}' contains a wildcard",
        )
    if not topic:
        raise ProtocolViolation(
            reason_codes.TOPIC_NAME_INVALID, clauses.TOPIC_NOT_EMPTY.of(level), "the topic name is empty"
        )


def parse_filter(text: str, level: int = versions.V5) -> TopicFilter:
    """Take a filter apart, `$share/NAME/` included, in any version; MalformedPacket 0x8F when it isn't valid."""
    if not text.startswith(SHARE_PREFIX) and text != SHARE_WORD:
        return TopicFilter("", text, check_filter(text, level))
    share_name, slash, rest = text[len(SHARE_PREFIX) :].partition("/")
    if not share_name:
        raise _invalid(clauses.SHARE_NAME.of(level), f"the shared filter '{text}' has no share name")
    if "+" in share_name or "#" in share_name:
        raise _invalid(clauses.SHARE_FILTER.of(level), f"the share name '{share_name}' contains a wildcard")
    if not slash or not rest:
        raise _invalid(clauses.SHARE_FILTER.of(level), f"the shared filter '{text}' has no topic filter")
    return TopicFilter(share_name, rest, check_filter(rest, level))


def check_filter(text: str, level: int = versions.V5) -> tuple[str, ...]:
    """The words of a filter without share name; MalformedPacket 0x8F when it is empty or its wildcards aren't words."""
    if not text:
        raise _invalid(clauses.TOPIC_NOT_EMPTY.of(level), "the topic filter is empty")
    words = words_of(text)
    if "#" in text and ("#" in text[:-1] or words[-1] != "#"):
        raise _invalid(
            clauses.MANY_LEVELS.of(level), f"'#' in the topic filter '{text}' is not a word of its own at the end"
        )
    if "+" in text and text.count("+") != words.count("+"):
        raise _invalid(clauses.ONE_LEVEL.of(level), f"'+' in the topic filter '{text}' is not a word of its own")
    return words


def usual_filters(raw: list[bytes]) -> list[str]:
    """Many filters at once; nothing unless all are of ASCII characters, not shared, and have their wildcards in place.

    All are looked at together, in a dozen calls: NUL, which no filter has, stands behind each, and slashes stand around
    each word, so that wildcards that are words of their own can be counted.
    """
    joined = b"\0".join(raw)
    if not joined.isascii() or joined.count(b"\0") != len(raw) - 1:
        return []
    if b"\0\0" in joined or b"\0$" in joined or joined[:1] in _NO_BEGINNINGS or joined[-1:] == b"\0":
        return []
    if b"+" in joined or b"#" in joined:
        words = b"/%b/\0" % joined.replace(b"/", b"//").replace(b"\0", b"/\0/")
        if words.count(b"/+/") != joined.count(b"+") or words.count(b"/#/\0") != joined.count(b"#"):
            return []
    return joined.decode("ascii").split("\0")


_NO_BEGINNINGS: Final = (b"", b"\0", b"$")


def _invalid(clause: str, text: str) -> MalformedPacket:
    return MalformedPacket(reason_codes.TOPIC_FILTER_INVALID, clause, text)
