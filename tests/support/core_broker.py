"""A broker of core alone, in memory: for tests of what needs no connection."""

from __future__ import annotations

from collections.abc import Mapping

from warren.core.access.accounts import User
from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.clients.client import Client
from warren.core.clients.limits import BrokerLimits
from warren.core.component import ComponentFactory
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import DefinitionStore
from warren.core.storage.memory import MemoryEngine
from warren.core.storage.recovery import recover


def core_broker(
    definitions: DefinitionStore | None = None,
    *,
    limits: BrokerLimits | None = None,
    default_queue_type: str | None = None,
    components: Mapping[str, ComponentFactory] | None = None,
) -> Broker:
    """A broker as it is after a start over `definitions`, a blank store by default, which gives it user guest and `/`.

    A second one over the same store is the broker after a restart.
    """
    store = definitions if definitions is not None else MemoryDefinitionStore()
    broker = Broker(
        MemoryEngine(),
        store,
        Users(store),
        now_ms=0,
        limits=limits if limits is not None else BrokerLimits(),
        default_queue_type=default_queue_type,
        components=components or {},
    )
    recover(broker, default_user="guest", default_password="guest", default_vhost="/")
    return broker


def core_client(broker: Broker, user: str = "guest", vhost: str = "/") -> Client:
    """A connection of a user to a virtual host, admitted as a handshake admits it."""
    found: User = broker.users[user]
    return Client("test", found, broker.open_vhost(found, vhost), "AMQP 0-9-1", {})
