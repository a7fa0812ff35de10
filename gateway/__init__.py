"""Everything of Warren that waits: hub, listeners, commit loop, command line, and the API to embed a broker.

What a program that embeds a broker needs has its name here, and is loaded when it is first asked for, so that the
command line starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.adapters.direct.delivery import Delivery
    from warren.adapters.direct.errors import (
        ClientClosed,
        ConsumerEnded,
        PublishBlocked,
        RateExceeded,
        Refused,
        Unroutable,
    )
    from warren.core.messages.properties import Properties, encode_properties
    from warren.gateway.client.client import BrokerClient
    from warren.gateway.client.confirmation import PendingConfirmation
    from warren.gateway.client.subscription import Subscription
    from warren.gateway.embedding import EmbeddedBroker, open_broker

__all__ = [
    "BrokerClient",
    "ClientClosed",
    "ConsumerEnded",
    "Delivery",
    "EmbeddedBroker",
    "PendingConfirmation",
    "Properties",
    "PublishBlocked",
    "RateExceeded",
    "Refused",
    "Subscription",
    "Unroutable",
    "encode_properties",
    "open_broker",
]

_WHERE: Final = {
    "EmbeddedBroker": "warren.gateway.embedding",
    "open_broker": "warren.gateway.embedding",
    "BrokerClient": "warren.gateway.client.client",
    "PendingConfirmation": "warren.gateway.client.confirmation",
    "Subscription": "warren.gateway.client.subscription",
    "Delivery": "warren.adapters.direct.delivery",
    "ClientClosed": "warren.adapters.direct.errors",
    "ConsumerEnded": "warren.adapters.direct.errors",
    "PublishBlocked": "warren.adapters.direct.errors",
    "RateExceeded": "warren.adapters.direct.errors",
    "Refused": "warren.adapters.direct.errors",
    "Unroutable": "warren.adapters.direct.errors",
    "Properties": "warren.core.messages.properties",
    "encode_properties": "warren.core.messages.properties",
}
"""The module that each name comes from."""


def __getattr__(name: str) -> object:
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'warren.gateway' has no attribute {name!r}")
