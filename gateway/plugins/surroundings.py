"""What the host has of the broker that it works for, and hands on to its plugins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.interface import Options
    from warren.core.broker import Broker
    from warren.gateway.client.clients import Clients
    from warren.gateway.control.target import CarryOut
    from warren.gateway.plugin import Facts, Resources
    from warren.gateway.plugins.mounts import MountTable


@frozen
class Surroundings:
    """See warren.gateway.plugin.Context for most of it.

    clients, facts, changed, kept, resources, carry_out: there only once the broker runs.  counters: of all plugins.
    """

    broker: Broker
    options: Options
    mounts: MountTable
    clients: Callable[[], Clients]
    facts: Callable[[], Facts]
    changed: Callable[[], None]
    kept: Callable[[], Awaitable[None]]
    resources: Callable[[], Resources]
    counters: Callable[[], Mapping[str, Mapping[str, float]]]
    carry_out: CarryOut
