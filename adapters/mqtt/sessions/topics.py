"""Topics and routing keys: how MQTT and AMQP meet on one topic exchange.

A topic's words stand between slashes, a routing key's between dots.  Words keep their identity: what is a separator or
a wildcard on the other side only is escaped there, so that `a.b/c` is never taken for `a/b/c`:

    in a topic      in a routing key
    a/b             a.b
    a.b/c           a%2Eb.c
    a/*/c           a.%2A.c         a word `*` that is no wildcard; a binding key has `*` for the filter's `+`
    a%2Eb           a%252Eb         a percent sign is escaped only where it would read as one of these escapes
    a%2Fb           a/b             characters that a topic's word can't hold are escaped in the topic instead,
    a%2Bb, %23      a+b, #          with %2F, %2B, %23 and %00

`topic_of(key_of(topic))` is the topic again for every topic.  A routing key of zero words has no topic.
"""

from __future__ import annotations

import re

_ambiguous = re.compile(r"%(?=2E|25|2A|2F|2B|23|00)")
_escape_in_key = re.compile(r"%(2E|25|2A)")
_escape_in_topic = re.compile(r"%(2F|2B|23|00)")
_not_in_topic = re.compile(r"[/+#\0]")
_needs_nothing = re.compile(r"[^.%*+#\0]*").fullmatch
_has_only_wildcards = re.compile(r"[^.%*\0]*").fullmatch
_key_needs_nothing = re.compile(r"[^/%*+#\0]+").fullmatch


def key_of(topic: str) -> str:
    """The routing key that a message with this topic is published with."""
    if _needs_nothing(topic):
        return topic.replace("/", ".")
    return ".".join([_word_in_key(word) for word in topic.split("/")])


def binding_key_of(filter: str) -> str:
    """The binding key for a topic filter, its wildcards translated; `$share/NAME/` is not part of it."""
    if _has_only_wildcards(filter):
        return filter.replace("/", ".").replace("+", "*")
    return ".".join(["*" if word == "+" else "#" if word == "#" else _word_in_key(word) for word in filter.split("/")])


def topic_of(key: str) -> str:
    """The topic that a routing key stands for; empty for the empty key."""
    if _key_needs_nothing(key):
        return key.replace(".", "/")
    return "/".join([_word_in_topic(word) for word in key.split(".")]) if key else ""


def _word_in_key(word: str) -> str:
    if word == "*":
        return "%2A"
    # Escapes for what only a routing key can hold become that; any other percent sign that could be misread is escaped.
    parts = _escape_in_topic.split(word)
    result = _plain_in_key(parts[0])
    for index in range(1, len(parts), 2):
        result += chr(int(parts[index], 16)) + _plain_in_key(parts[index + 1])
    return result


def _plain_in_key(text: str) -> str:
    return _ambiguous.sub("%25", text).replace(".", "%2E")


def _word_in_topic(word: str) -> str:
    word = _not_in_topic.sub(lambda found: f"%{ord(found[0]):02X}", word)
    return _escape_in_key.sub(lambda found: chr(int(found[1], 16)), word)
