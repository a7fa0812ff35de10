"""What topics are called in AMQP, as the broker is configured: through which exchange, and with Sparkplug or without.

With Sparkplug the first word of its topics, `spBv1.0`, is `spBv1___0` in routing keys, as RabbitMQ has it, so that
bindings written for that go on working.  To keep the topic `spBv1___0` apart from it, its underscores, three or more,
are one more in the routing key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from warren.adapters.mqtt.sessions import topics

DEFAULT_TOPIC_EXCHANGE: Final = "amq.topic"

_DOT_IN_KEY: Final = "___"

_namespace_in_topic = re.compile(r"(sp[AB]v[0-9]+)(\.|_{3,})([0-9]+(?:/|$))")
_namespace_in_key = re.compile(r"(sp[AB]v[0-9]+)(_{3,})([0-9]+(?:\.|$))")


class TopicNames:
    """See the head of this file.  exchange: where topics are routing keys; the functions are those of topics.py."""

    __slots__ = ("binding_key_of", "exchange", "key_of", "topic_of")

    def __init__(self, exchange: str = DEFAULT_TOPIC_EXCHANGE, *, sparkplug: bool = False) -> None:
        self.exchange = exchange
        self.key_of: Callable[[str], str] = _sparkplug_key_of if sparkplug else topics.key_of
        self.binding_key_of: Callable[[str], str] = _sparkplug_binding_key_of if sparkplug else topics.binding_key_of
        self.topic_of: Callable[[str], str] = _sparkplug_topic_of if sparkplug else topics.topic_of


def _sparkplug_key_of(topic: str) -> str:
    return topics.key_of(_with_key_namespace(topic))


def _sparkplug_binding_key_of(filter: str) -> str:
    return topics.binding_key_of(_with_key_namespace(filter))


def _sparkplug_topic_of(key: str) -> str:
    found = _namespace_in_key.match(key)
    if found is None:
        return topics.topic_of(key)
    topic = topics.topic_of(key)
    between = found[2]
    return found[1] + ("." if between == _DOT_IN_KEY else between[1:]) + topic[found.start(3) :]


def _with_key_namespace(topic: str) -> str:
    found = _namespace_in_topic.match(topic)
    if found is None:
        return topic
    between = found[2]
    return found[1] + (_DOT_IN_KEY if between == "." else between + "_") + topic[found.start(3) :]
