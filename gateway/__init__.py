"""Everything of Warren that waits: hub, listeners, commit loop, command line, and the API to embed a broker.

`open_broker` is loaded when it is first asked for, so that the command line starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.gateway.embedding import EmbeddedBroker, open_broker

__all__ = ["EmbeddedBroker", "open_broker"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from warren.gateway import embedding

        return getattr(embedding, name)
    raise AttributeError(f"module 'gateway' has no attribute {name!r}")
