"""One binding: where messages go on to from a source exchange when routing key or headers match.

Bindings are a set: what makes two of them the same is the source, the target's kind and name, the routing
key and the arguments (AMQP 0-9-1, 3.1.1 and queue.bind).  Arguments are the same when they say the same:
the order of keys and the width of an integer on the wire don't count, but 1, 1.0, True and "1" are four
different values.  The same notion of equality decides whether a header of a message equals what a headers
exchange was asked to match, so both go through `canonical_value`.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import quote_plus

from warren.core.messages.field_table import EMPTY_TABLE_RAW

if TYPE_CHECKING:
    from warren.core.exchanges.hash_slots import Runs
    from warren.core.messages.field_table import FieldValue

DestinationKind = Literal["queue", "exchange"]

HASH_SIZE_BYTES = 16
"""Arguments in a `properties_key` are told apart by 128 bits: no collisions by chance, yet short in a URL."""


class Destination(Protocol):
    """What a binding can lead to: a queue or another exchange."""

    @property
    def name(self) -> str:
        """The name within its vhost, unique among destinations of the same kind."""

    @property
    def kind(self) -> DestinationKind:
        """Which of the two name spaces `name` belongs to."""

    @property
    def durable(self) -> bool:
        """True when it outlives a restart of the broker."""


BindingKey = tuple[DestinationKind, str, str, tuple[object, ...]]
"""Names a binding within its source: kind and name of the destination, routing key, canonical arguments."""


def canonical_value(value: FieldValue) -> object:
    """A hashable stand-in for a field value: values count as the same when their stand-ins are equal.

    Strings and integers stand for themselves, which covers nearly all headers.  What Python would hold
    equal across types (True and 1, 1.0 and 1) is marked with its type.  Binary counts as the string of the
    same bytes, a timestamp as the integer of its seconds, and a NaN equals a NaN, so that it can be unbound
    again.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float):
        # Adding 0.0 turns -0.0, which equals 0.0 but is written differently, into 0.0.
        return ("float", value + 0.0 if value == value else "nan")
    if isinstance(value, Decimal):
        return ("decimal", tuple(value.as_tuple()))
    if isinstance(value, Mapping):
        return ("table", canonical_arguments(value))
    return ("array", tuple(canonical_value(item) for item in value))


def canonical_arguments(arguments: Mapping[str, FieldValue]) -> tuple[object, ...]:
    """The stand-in for a whole table: its entries by name, whatever their order was."""
    if not arguments:
        return ()
    return tuple((name, canonical_value(arguments[name])) for name in sorted(arguments))


def binding_key(kind: DestinationKind, name: str, routing_key: str, arguments: Mapping[str, FieldValue]) -> BindingKey:
    """The key that a binding with this destination, routing key and arguments has; what unbind looks up."""
    return (kind, name, routing_key, canonical_arguments(arguments))


_NO_ARGUMENTS: Final[Mapping[str, FieldValue]] = {}


class Binding:
    """A route from the exchange named `source` to `target`.

    arguments_raw: the arguments as they came, a field table with its length, so that they go out as they
    came in.
    key: identity within the source exchange.
    sequence, source_durable: position among the bindings of the source, and whether that is durable; the
    source says so when the binding is added to it.
    stored: it has a row of its own in the definitions.
    slots: what an exchange that hashes has given its target for it (hash_slots.py).
    """

    __slots__ = (
        "arguments",
        "arguments_raw",
        "key",
        "routing_key",
        "sequence",
        "slots",
        "source",
        "source_durable",
        "stored",
        "target",
    )

    def __init__(
        self,
        source: str,
        target: Destination,
        routing_key: str,
        arguments: Mapping[str, FieldValue] | None = None,
        arguments_raw: bytes = EMPTY_TABLE_RAW,
    ) -> None:
        self.source = source
        self.target = target
        self.routing_key = routing_key
        self.arguments: Mapping[str, FieldValue] = arguments or _NO_ARGUMENTS
        self.arguments_raw = arguments_raw
        self.key = (target.kind, target.name, routing_key, canonical_arguments(arguments) if arguments else ())
        self.sequence = 0
        self.source_durable = False
        self.stored = False
        self.slots: Runs = ()

    @property
    def durable(self) -> bool:
        """True when both ends are durable: only then does the binding outlive a restart."""
        return self.source_durable and self.target.durable

    @property
    def properties_key(self) -> str:
        """What names this binding among those between the same two ends, in URLs of the management API.

        `~` for an empty key without arguments, else the quoted routing key, then `~` and a hash of the
        arguments when there are any.  The hash is of our own making (RabbitMQ's hashes Erlang's encoding)
        and stays the same across restarts.
        """
        arguments = self.key[3]
        quoted_key = quote_plus(self.routing_key, errors="surrogateescape").replace("~", "%7E")
        if not arguments:
            return quoted_key or "~"
        digest = blake2b(ascii(arguments).encode(), digest_size=HASH_SIZE_BYTES).digest()
        return f"{quoted_key}~{urlsafe_b64encode(digest).decode().rstrip('=')}"
