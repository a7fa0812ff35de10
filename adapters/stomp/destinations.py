"""Destinations: the paths by which STOMP names queues, topics and exchanges (spec B.3).

    /queue/NAME, NAME       a durable queue, declared when it is first used
    /amq/queue/NAME         a queue that exists, however it was declared
    /topic/KEY              the topic exchange (amq.topic unless configured otherwise), words separated by "."
    /exchange/X[/KEY]       the exchange X
    /reply-queue/NAME       a queue named in a reply-to; only to SEND to
    /temp-queue/ID          a private queue for answers; only as the value of reply-to

A "/" within a name is written %2F.  Any byte may be written %XX, and what is no such escape stands for itself;
`destination_of` writes what could be misread that way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.core.messages.address import Address
from warren.core.routing.vhost import DEFAULT_EXCHANGE

PREFIXES: Final = ("/queue/", "/amq/queue/", "/topic/", "/exchange/", "/reply-queue/", "/temp-queue/")

_TYPES: Final = ("/temp-queue", "/exchange", "/topic", "/queue", "/amq/queue", "/reply-queue/")
"""RabbitMQ's list of what there is, which programs look for."""

_NAMELESS: Final = {
    "/queue": "queue",
    "/amq/queue": "amqqueue",
    "/topic": "topic",
    "/exchange": "exchange",
    "/temp-queue": "temp_queue",
}
"""Prefixes alone, and RabbitMQ's names of what they would be for."""

TEMPORARY_PREFIX: Final = "/temp-queue/"
REPLY_PREFIX: Final = "/reply-queue/"

NAME_BYTES_MAX: Final = 255
"""Names and routing keys are shortstrs (AMQP 0-9-1 4.2.5.3)."""

_escaped = re.compile(rb"%([0-9A-Fa-f]{2})")


PARSED_MAX: Final = 1024
"""Destinations that are kept as they were understood, for all sessions together: as many as one session remembers."""

SPACE: Final = 0x20
DELETE: Final = 0x7F
"""What is below the one is a control character, what is above the other is not ASCII."""


class Kind(Enum):
    """What a destination stands for; the value is its name in texts."""

    QUEUE = "queue"
    EXISTING_QUEUE = "amqqueue"
    REPLY_QUEUE = "reply-queue"
    TOPIC = "topic"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination taken apart.  For queues, `exchange` is the default one and `key` the queue's name."""

    kind: Kind
    exchange: str
    key: str

    @property
    def is_queue(self) -> bool:
        """True for those that name a queue, not an exchange."""
        return self.exchange == DEFAULT_EXCHANGE


@lru_cache(maxsize=PARSED_MAX)
def parse_destination(text: str, topic_exchange: str, command: str = "SEND") -> Destination:
    """Take a destination apart; StompError for one that isn't valid, with what would be.

    command: of the frame, which the error names.
    """
    if not text:
        raise StompError("Invalid destination", "Destination cannot be blank")
    if not text.startswith("/"):
        if "/" in text:
            raise _unknown(text)
        return Destination(Kind.QUEUE, DEFAULT_EXCHANGE, _decoded(text, text, "queue"))
    prefix = next((each for each in PREFIXES if text.startswith(each)), None)
    if prefix is None:
        nameless = _NAMELESS.get(text)
        raise _invalid("", nameless) if nameless is not None else _unknown(text)
    rest = text[len(prefix) :]
    if prefix == TEMPORARY_PREFIX:
        raise _temporary(text, command) if rest else _invalid("/", "temp_queue")
    if prefix == REPLY_PREFIX:
        return Destination(Kind.REPLY_QUEUE, DEFAULT_EXCHANGE, _decoded(rest, text, "reply-queue", "/" in rest))
    if prefix == "/exchange/":
        name, _, key = rest.partition("/")
        if "/" in key:
            raise _invalid(f"/{rest}", "exchange")
        exchange = _decoded(name, f"/{rest}", "exchange")
        return Destination(Kind.EXCHANGE, exchange, _decoded(key, text, "exchange") if key else "")
    kind = {"/queue/": Kind.QUEUE, "/amq/queue/": Kind.EXISTING_QUEUE, "/topic/": Kind.TOPIC}[prefix]
    if "/" in rest:
        raise _invalid(f"/{rest}", kind.value)
    exchange = topic_exchange if kind is Kind.TOPIC else DEFAULT_EXCHANGE
    return Destination(kind, exchange, _decoded(rest, "/", kind.value))


def destination_of(address: Address, topic_exchange: str) -> str:
    """The destination header of a message that was published to this address."""
    if address.exchange == DEFAULT_EXCHANGE:
        return f"/queue/{encoded(address.routing_key)}"
    if address.exchange == topic_exchange:
        return f"/topic/{encoded(address.routing_key)}"
    exchange = f"/exchange/{encoded(address.exchange)}"
    return f"{exchange}/{encoded(address.routing_key)}" if address.routing_key else exchange


def _decoded(part: str, whole: str, kind: str, plain: bool = False) -> str:
    if not part:
        raise _invalid(whole, kind)
    data = part.encode("utf-8", "surrogateescape")
    if not plain and "%" in part:
        data = _escaped.sub(lambda found: bytes((int(found[1], 16),)), data)
    if len(data) > NAME_BYTES_MAX:
        raise StompError(
            "Invalid destination",
            f"a name in '{quoted(whole)}...' is longer than {NAME_BYTES_MAX} bytes, the limit",
        )
    return data.decode("utf-8", "surrogateescape")


def encoded(name: str) -> str:
    """A name within a destination (spec B.3): percent signs, slashes, control characters, all beyond ASCII escaped."""
    if name.isascii() and name.isprintable() and "/" not in name and "%" not in name:
        return name
    return "".join(
        f"%{byte:02X}" if byte < SPACE or byte > DELETE or byte in b"/%" else chr(byte)
        for byte in name.encode("utf-8", "surrogateescape")
    )


def _invalid(path: str, kind: str) -> StompError:
    hint = "write a slash in a name as %2F" if path.count("/") > 1 else ""
    return StompError("Invalid destination", f"'{quoted(path)}' is not a valid {kind} destination", hint)


def _temporary(text: str, command: str) -> StompError:
    return StompError(
        "Invalid destination",
        f"'{quoted(text)}' is not a valid destination for '{command}'",
        "/temp-queue/ is only for the reply-to header of SEND; answers come to you without SUBSCRIBE",
    )


def _unknown(text: str) -> StompError:
    return StompError(
        "Unknown destination",
        f"'{quoted(text)}' is not a valid destination.\nValid destination types are: {', '.join(_TYPES)}.",
    )
