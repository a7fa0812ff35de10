"""docs/reference/client.md: the broker inside a program, and the client without a socket."""

from __future__ import annotations

from tests.docs.reference.markdown import joined
from tests.docs.reference.source import described
from warren import gateway

PARTS = {
    "The broker": ("open_broker", "EmbeddedBroker"),
    "The client": ("BrokerClient", "QueueState", "Subscription", "Delivery", "PendingConfirmation"),
    "Messages": ("Properties", "encode_properties"),
    "Errors": ("ClientClosed", "ConsumerEnded", "PublishBlocked", "RateExceeded", "Refused", "Unroutable"),
}

MODULES = {"QueueState": "warren.gateway.client.client"}
"""Of names that `warren.gateway` has not."""

INTRODUCTION = """
# A broker inside a program: the classes

What [a broker inside a program](../embedding.md) is made of, from the code. Everything is imported from
`warren.gateway`: `from warren.gateway import open_broker`. Errors of the broker itself, such as NotFound and
AccessRefused, are in `warren.core.errors`.
"""


def page() -> str:
    """The whole page; AssertionError for a name of `warren.gateway` that it lacks."""
    names = [name for part in PARTS.values() for name in part]
    assert set(names) - MODULES.keys() == set(gateway.__all__)
    parts = [INTRODUCTION.strip()]
    for title, members in PARTS.items():
        parts.append(f"## {title}")
        parts += [described(MODULES.get(name, "warren.gateway"), name, names) for name in members]
    return joined(parts)
