"""Topics as administrators write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import topics
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.sessions.place import world_of
from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.broker import Broker

TOPIC_BYTES_MAX: Final = 65_535
"""A topic is a UTF-8 string of MQTT (MQTT 5 1.5.4)."""


def address_of(broker: Broker, topic: str) -> tuple[str, str]:
    """The exchange and the routing key that a message to a topic is published with.

    Raises PreconditionFailed for what is no topic name.
    """
    names = world_of(broker).names
    return names.exchange, names.key_of(checked_topic(topic))


def pattern_of(broker: Broker, text: str) -> tuple[str, str]:
    """The exchange of topics, and the topic pattern of routing keys that a filter stands for there.

    Raises PreconditionFailed for what is no filter.
    """
    names = world_of(broker).names
    checked_filter(text)
    return names.exchange, names.binding_key_of(text)


def checked_topic(topic: str) -> str:
    """The topic name; PreconditionFailed for what is none."""
    _check_text(topic, "topic")
    try:
        topics.check_topic_name(topic)
    except PacketError as error:
        raise PreconditionFailed(str(error)) from None
    return topic


def checked_filter(text: str) -> tuple[str, ...]:
    """The words of a filter; PreconditionFailed for what is none, or belongs to a shared subscription."""
    _check_text(text, "filter")
    try:
        found = topics.parse_filter(text)
    except PacketError as error:
        raise PreconditionFailed(str(error)) from None
    if found.share_name:
        raise PreconditionFailed(f"'{text}' is a shared subscription's: leave out $share/{found.share_name}/")
    return found.words


def _check_text(text: str, what: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PreconditionFailed(f"the {what} isn't Unicode") from None
    if size > TOPIC_BYTES_MAX or "\0" in text:
        raise PreconditionFailed(f"a {what} has at most {TOPIC_BYTES_MAX} bytes, and no character 0")
