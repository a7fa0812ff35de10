"""Where a message goes: the exchange types. Importing the package registers the built-in ones."""

from core.exchanges import (
    consistent_hash,
    delayed,
    direct,
    fanout,
    headers,
    local_random,
    modulus_hash,
    random_exchange,
    recent_history,
    topic,
)

__all__ = [
    "consistent_hash",
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
