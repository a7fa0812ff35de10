"""Upstreams and sets of them, read from runtime parameters (spec E.2).

An upstream says where another broker is and how its messages are fetched.  A set names upstreams, each maybe with some
keys other than it has by itself.  What can't be used is refused as a whole, with the key that is wrong and what it
should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp091.client.uri import AmqpUri, parse_uri
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values
from warren.plugins.bridging.ack_modes import ACK_MODES, ON_CONFIRM

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

PREFETCH_DEFAULT: Final = 1000
RECONNECT_DELAY_DEFAULT_S: Final = 5.0
MAX_HOPS_DEFAULT: Final = 1
"""RabbitMQ's defaults (spec E.2)."""

MAX_HOPS_MOST: Final = 0x7FFF
"""Bindings tell of the hops that are left in a signed 16-bit integer (spec E.2, x-bound-from)."""

MILLISECONDS_MAX: Final = 10 * 365 * 24 * 3600 * 1000
"""Ten years, the most that a queue's x-expires and x-message-ttl may be."""

QUEUE_TYPES: Final = ("classic", "quorum")
CLEAN_UP: Final = "default"
LEAVE: Final = "never"
MULTIPLE: Final = "multiple"
SINGLE: Final = "single"

UPSTREAM: Final = "upstream"
"""The key of a set's element that names the upstream."""


@frozen
class Upstream:
    """Another broker, and how messages come from it.

    exchange, queue: what they are called there; None for the same name as here.  max_hops: links that a message may
    have come over, this one included.  expires_ms, message_ttl_ms, queue_type: of the queue there, which keeps the
    messages of an exchange.  cleans_up: whether that queue is deleted with the link.  bind_nowait: bindings are made
    without an answer to each.  channels: MULTIPLE has messages come on a channel of their own, SINGLE on the only one.
    consumer_tag: None for one made of the upstream's name.
    """

    name: str
    uris: tuple[AmqpUri, ...]
    prefetch: int = PREFETCH_DEFAULT
    reconnect_delay_s: float = RECONNECT_DELAY_DEFAULT_S
    ack_mode: str = ON_CONFIRM
    trust_user_id: bool = False
    exchange: str | None = None
    max_hops: int = MAX_HOPS_DEFAULT
    expires_ms: int | None = None
    message_ttl_ms: int | None = None
    queue_type: str = QUEUE_TYPES[0]
    resource_cleanup: str = CLEAN_UP
    bind_nowait: bool = False
    channels: str = MULTIPLE
    queue: str | None = None
    consumer_tag: str | None = None

    @property
    def cleans_up(self) -> bool:
        return self.resource_cleanup == CLEAN_UP

    @property
    def tag(self) -> str:
        """The consumer tag."""
        return self.consumer_tag or f"federation-link-{self.name}"


@frozen
class SetElement:
    """One upstream of a set.  overrides: fields of Upstream by name."""

    upstream: str
    overrides: Mapping[str, Any]


def _uris(value: object) -> tuple[AmqpUri, ...]:
    found: tuple[AmqpUri, ...] = values.uris(parse_uri)(value)
    if not all(uri.host for uri in found):
        raise ValueError("has no host: an upstream is another broker; within one, exchanges are bound to each other")
    return found


Readers = Mapping[str, tuple[str, Callable[[object], Any]]]

SET_KEYS: Final[Readers] = {
    "prefetch-count": ("prefetch", values.count(1, 0xFFFF)),
    "reconnect-delay": ("reconnect_delay_s", values.seconds),
    "ack-mode": ("ack_mode", values.one_of(*ACK_MODES)),
    "trust-user-id": ("trust_user_id", values.truth),
    "exchange": ("exchange", values.name),
    "max-hops": ("max_hops", values.count(1, MAX_HOPS_MOST)),
    "expires": ("expires_ms", values.count(1, MILLISECONDS_MAX)),
    "message-ttl": ("message_ttl_ms", values.count(0, MILLISECONDS_MAX)),
    "queue-type": ("queue_type", values.one_of(*QUEUE_TYPES)),
    "resource-cleanup-mode": ("resource_cleanup", values.one_of(CLEAN_UP, LEAVE)),
    "bind-nowait": ("bind_nowait", values.truth),
    "channel-use-mode": ("channels", values.one_of(MULTIPLE, SINGLE)),
    "queue": ("queue", values.name),
    "consumer-tag": ("consumer_tag", values.name),
}
"""What an upstream may say, and an element of a set instead of it: the field of Upstream, and what reads the value."""

UPSTREAM_KEYS: Final[Readers] = {"uri": ("uris", _uris), **SET_KEYS}


def read_upstream(name: str, value: JSON) -> Upstream:
    """The upstream that a parameter's value is; PreconditionFailed (406), naming the key, for one that can't be."""
    if not isinstance(value, dict):
        raise PreconditionFailed('an upstream is an object such as {"uri": "amqp://user:password@host", ...}')
    fields = _read(value, UPSTREAM_KEYS)
    if "uris" not in fields:
        raise PreconditionFailed("the key 'uri' is missing")
    return Upstream(name, **fields)


def read_set(value: JSON) -> tuple[SetElement, ...]:
    """The upstream set that a parameter's value is; PreconditionFailed (406), naming the key, for none."""
    if not isinstance(value, list) or not value:
        raise PreconditionFailed('an upstream set is a list such as [{"upstream": "one"}, {"upstream": "two"}]')
    return tuple(_read_element(each) for each in value)


def overridden(upstream: Upstream, element: SetElement) -> Upstream:
    """The upstream as a set's element has it."""
    return replace(upstream, **element.overrides)


def _read_element(value: JSON) -> SetElement:
    if not isinstance(value, dict) or not isinstance(value.get(UPSTREAM), str):
        raise PreconditionFailed(f"each element of an upstream set is an object with the key '{UPSTREAM}', a name")
    others = {key: each for key, each in value.items() if key != UPSTREAM}
    if "uri" in others:
        raise PreconditionFailed("the key 'uri' belongs to the upstream: a set's element can't have another one")
    return SetElement(str(value[UPSTREAM]), _read(others, SET_KEYS))


def _read(value: Mapping[str, JSON], keys: Readers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, given in value.items():
        found = keys.get(name)
        if found is None:
            near = get_close_matches(name, keys, 1)
            raise PreconditionFailed(f"unknown key '{name}'" + (f": did you mean '{near[0]}'?" if near else ""))
        field, read = found
        try:
            fields[field] = read(given)
        except ValueError as error:
            raise PreconditionFailed(f"the key '{name}' {error}") from None
    return fields
