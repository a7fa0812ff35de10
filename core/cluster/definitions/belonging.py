"""What an item belongs to: the keys that have to be there for it to count (items.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.cluster.definitions.items import (
    BINDING,
    EXCHANGE,
    PERMISSION,
    QUEUE,
    TOPIC_PERMISSION,
    USER,
    VHOST,
    key_of,
)

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

_PREDECLARED: Final = "amq."
"""How the names of exchanges begin that every virtual host has: they are in no bucket."""


def belongs_to(kind: str, vhost: str, name: str, row: Mapping[str, JSON]) -> Iterator[str]:
    """The keys, of which each has to have a value."""
    if vhost:
        yield key_of(VHOST, "", vhost)
    if kind == PERMISSION:
        yield key_of(USER, "", name)
    elif kind == TOPIC_PERMISSION:
        yield key_of(USER, "", str(json.loads(name)[0]))
    elif kind == BINDING:
        ends = ((EXCHANGE, str(row["source"])), (str(row["kind"]), str(row["destination"])))
        for end, end_name in ends:
            if end == QUEUE or not end_name.startswith(_PREDECLARED):
                yield key_of(end, vhost, end_name)
