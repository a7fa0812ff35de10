"""Addresses of links and messages (spec H.1): strings that name queues and exchanges.

Version 2, whose parts are percent-encoded (RFC 3986):

    /queues/:queue                 source and target
    /exchanges/:exchange/:key      target; with the key of the address
    /exchanges/:exchange           target; with an empty key
    null                           target; each message says where it goes by its `to`, in one of these forms

Version 1, which clients of RabbitMQ before 4.0 use, where a name stands as it is, percent-encoded only where it has to:

    /queue/:queue, :queue          source and target; the queue is declared, durable
    /amq/queue/:queue              source and target; it has to be there
    /exchange/:exchange[/:key]     target; without a key, the subject of each message is
    /topic/:key                    target; the same as /exchange/amq.topic/:key
    /exchange/:exchange/:key       source; a queue of the connection's own, bound so
    /topic/:key                    source; likewise
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from warren.adapters.amqp10.codec.errors import INVALID_FIELD, NOT_FOUND, Level, PeerMistake

TOPIC_EXCHANGE: Final = "amq.topic"

_HEX: Final = frozenset("0123456789abcdefABCDEF")

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Named:
    """What an address names.

    queue: None where it is an exchange.  key: None where each message's subject is the routing key.  declares: a queue
    that isn't there is made.  binds: a source that is a queue of the connection's own, bound to the exchange.
    """

    queue: str | None = None
    exchange: str = ""
    key: str | None = ""
    declares: bool = False
    binds: bool = False

    @property
    def routing(self) -> tuple[str, str | None]:
        """Exchange and routing key of what is sent there."""
        return ("", self.queue) if self.queue is not None else (self.exchange, self.key)


def target_named(address: str, *, v1: bool) -> Named:
    """What a target names, or a message's `to`; PeerMistake for what is no address.  v1: the older ones, too."""
    if address.startswith("/queues/"):
        return Named(queue=_decoded(address, address[8:]))
    if address.startswith("/exchanges/"):
        return _exchange(address, address[11:])
    if v1:
        if address.startswith("/exchange/"):
            exchange, _, key = address[10:].partition("/")
            return Named(exchange=_of_v1(exchange), key=_of_v1(key) if key else None)
        if address.startswith("/topic/"):
            return Named(exchange=TOPIC_EXCHANGE, key=_of_v1(address[7:]))
        if address == "/queue":
            return Named(exchange="", key=None)
        found = _queue_of_v1(address)
        if found is not None:
            return found
    raise _no_address(address, "target")


def source_named(address: str, *, v1: bool) -> Named:
    """What a source names; PeerMistake for what is no address."""
    if address.startswith("/queues/"):
        return Named(queue=_decoded(address, address[8:]))
    if v1 and not address.startswith("/exchanges/"):
        if address.startswith("/exchange/"):
            exchange, _, key = address[10:].partition("/")
            return Named(exchange=_of_v1(exchange), key=_of_v1(key), binds=True)
        if address.startswith("/topic/"):
            return Named(exchange=TOPIC_EXCHANGE, key=_of_v1(address[7:]), binds=True)
        found = _queue_of_v1(address)
        if found is not None:
            return found
    raise _no_address(address, "source")


def queue_address(name: str) -> str:
    """The address of a queue."""
    return "/queues/" + encoded(name)


def encoded(text: str) -> str:
    """Percent-encoded, all but the unreserved characters of RFC 3986."""
    return "".join(
        chr(each) if each in _UNRESERVED else f"%{each:02X}" for each in text.encode("utf-8", "surrogateescape")
    )


def _exchange(address: str, rest: str) -> Named:
    exchange, slash, key = rest.partition("/")
    if "/" in key:
        raise _no_address(address, "target")
    name = _decoded(address, exchange)
    if not name or (slash and not key):
        raise _no_address(address, "target")
    return Named(exchange=name, key=_decoded(address, key) if key else "")


def _queue_of_v1(address: str) -> Named | None:
    if address.startswith("/queue/") and len(address) > 7:
        return Named(queue=_of_v1(address[7:]), declares=True)
    if address.startswith("/amq/queue/") and len(address) > 11:
        return Named(queue=_of_v1(address[11:]))
    if address and not address.startswith("/"):
        return Named(queue=_of_v1(address), declares=True)
    return None


def _of_v1(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _decoded(address: str, text: str) -> str:
    """A part of an address without its percent signs, which are followed by two digits each."""
    if not text or "/" in text:
        raise _no_address(address, "address")
    parts = text.split("%")
    if any(len(part) < 2 or not _HEX.issuperset(part[:2]) for part in parts[1:]):
        raise PeerMistake(
            INVALID_FIELD, f"'{address[:100]}': a percent sign has two hexadecimal digits behind it", Level.LINK
        )
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise PeerMistake(INVALID_FIELD, f"'{address[:100]}': what is encoded isn't UTF-8", Level.LINK) from None


def _no_address(address: str, what: str) -> PeerMistake:
    forms = "/queues/QUEUE" if what == "source" else "/queues/QUEUE, /exchanges/EXCHANGE/KEY or /exchanges/EXCHANGE"
    return PeerMistake(NOT_FOUND, f"'{address[:100]}' is no {what} address; write {forms}, percent-encoded", Level.LINK)
