"""Where a message goes: the exchange types. Importing the package registers the built-in ones."""

from warren.core.exchanges import (
    consistent_hash,
    direct,
    fanout,
    headers,
    local_random,
    modulus_hash,
    random_exchange,
    recent_history,
    topic,
)
from warren.core.exchanges.delaying import deferring
from warren.core.exchanges.delaying import exchange as delayed

__all__ = [
    "consistent_hash",
    "deferring",
    "delayed",
    "direct",
    "fanout",
    "headers",
    "local_random",
    "modulus_hash",
    "random_exchange",
    "recent_history",
    "topic",
]
