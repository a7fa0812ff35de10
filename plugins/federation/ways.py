"""The ways that messages and bindings have come, and where they end: x-received-from and x-bound-from (spec E.2).

Each link that brings a message puts an entry in front of the array x-received-from, which says where it took it.  A
message goes over a link only if it has come over fewer links than that one's max-hops and hasn't been at its downstream
before; so loops are cut wherever they close.  A binding that is made at an upstream says in x-bound-from whose it is,
and how many links further it may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.messages.field_table import EMPTY_TABLE_RAW, Typed, encode_value, join_entries, raw_entries

if TYPE_CHECKING:
    from warren.core.messages.field_table import Encodable, FieldValue

RECEIVED_FROM: Final = "x-received-from"
BOUND_FROM: Final = "x-bound-from"

ARRAY_PREFIX_BYTES: Final = 5
"""The tag of an array, and its length."""


class Place(NamedTuple):
    """A virtual host of a broker, by the name of its cluster."""

    cluster: str
    vhost: str


def may_come(headers: Mapping[str, FieldValue] | None, max_hops: int, downstream: Place) -> bool:
    """Whether a message with these headers may go over a link to `downstream`."""
    way = (headers or {}).get(RECEIVED_FROM)
    if not isinstance(way, list):
        return True
    return len(way) < max_hops and not been_at(way, downstream)


def been_at(way: list[FieldValue], place: Place) -> bool:
    """Whether one of the entries of a way is this place; one without a virtual host is any of its broker's."""
    return any(
        isinstance(entry, dict)
        and entry.get("cluster-name") == place.cluster
        and entry.get("vhost", place.vhost) == place.vhost
        for entry in way
    )


def hops_left(arguments: Mapping[str, FieldValue], max_hops: int, upstream: Place) -> int:
    """How many links a binding may still go, the one to `upstream` included; 0 for one that stays here."""
    way = arguments.get(BOUND_FROM)
    if not isinstance(way, list) or not way:
        return max_hops
    if been_at(way, upstream):
        return 0
    before = way[0].get("hops") if isinstance(way[0], dict) else None
    return max(0, min(int(before) - 1, max_hops)) if isinstance(before, int) else max_hops


def bound_from(arguments_raw: bytes, downstream: Place, exchange: str, hops: int) -> bytes:
    """The arguments of a binding as it is made at the upstream, a field table; the others stay byte-identical."""
    entries = raw_entries(arguments_raw, 0) if arguments_raw else raw_entries(EMPTY_TABLE_RAW, 0)
    entry: dict[str, Encodable] = {
        "cluster-name": downstream.cluster,
        "vhost": downstream.vhost,
        "exchange": exchange,
        "hops": Typed("s", hops),
    }
    before = entries.get(BOUND_FROM, b"")
    items = encode_value(entry) + (before[ARRAY_PREFIX_BYTES:] if before[:1] == b"A" else b"")
    entries[BOUND_FROM] = b"A" + len(items).to_bytes(4, "big") + items
    return join_entries(entries)
