"""Limits on how many connections, channels, queues and exchanges there may be (spec G, A.3.7, A.4, A.5).

Limits of a virtual host or a user are JSON objects of names and integers, as administrators write them; a missing or
negative one limits nothing.  Those of the whole broker come from its configuration.  Counting is by counters that
clients and channels keep up to date when they come and go, so that a check costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import limit as limit_or_none
from warren.core.errors import BrokerError, NotAllowed, PreconditionFailed
from warren.core.frozen import frozen
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.client import Client
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

MAX_CONNECTIONS: Final = "max-connections"
MAX_QUEUES: Final = "max-queues"
MAX_CHANNELS: Final = "max-channels"

MAX_MESSAGE_RATE: Final = "max-message-rate"
MAX_BYTE_RATE: Final = "max-byte-rate"
MAX_MESSAGE_RATE_PER_CONNECTION: Final = "max-message-rate-per-connection"
MAX_BYTE_RATE_PER_CONNECTION: Final = "max-byte-rate-per-connection"
"""In a second; core/clients/rate_limits.py says what becomes of more."""

RATES: Final = (
    MAX_MESSAGE_RATE,
    MAX_BYTE_RATE,
    MAX_MESSAGE_RATE_PER_CONNECTION,
    MAX_BYTE_RATE_PER_CONNECTION,
)

VHOST_LIMITS: Final = (MAX_CONNECTIONS, MAX_QUEUES, *RATES)
USER_LIMITS: Final = (MAX_CONNECTIONS, MAX_CHANNELS, *RATES)

NODE: Final = "warren"
"""RabbitMQ's texts name the node; this broker is the only one there is."""

LIMIT_MAX: Final = 2**63 - 1
"""Larger numbers are typing mistakes, and couldn't be written into every definitions file."""


@frozen
class BrokerLimits:
    """What the whole broker takes; None: any number."""

    connections: int | None = configured(
        Key(
            "connection_max",
            limit_or_none,
            None,
            "Connections that may be open at once. Without it any number, as with the following limits.",
            rabbitmq=("connection_max", "max_connections"),
        )
    )
    channels: int | None = configured(
        Key(
            "channel_max_per_node",
            limit_or_none,
            None,
            "Channels that may be open at once, in all connections together.",
            rabbitmq=("channel_max_per_node",),
        )
    )
    queues: int | None = configured(
        Key("cluster_queue_limit", limit_or_none, None, "Queues that there may be.", rabbitmq=("cluster_queue_limit",))
    )
    exchanges: int | None = configured(
        Key(
            "cluster_exchange_limit",
            limit_or_none,
            None,
            "Exchanges that there may be, those that every virtual host starts with included.",
            rabbitmq=("cluster_exchange_limit",),
        )
    )
    vhosts: int | None = configured(
        Key("vhost_max", limit_or_none, None, "Virtual hosts that there may be.", rabbitmq=("vhost_max",))
    )
    consumers_per_channel: int | None = configured(
        Key(
            "consumer_max_per_channel",
            limit_or_none,
            None,
            "Consumers that one AMQP 0-9-1 channel may have.",
            rabbitmq=("consumer_max_per_channel",),
        )
    )


class Usage:
    """What one user has open."""

    __slots__ = ("channels", "connections")

    def __init__(self) -> None:
        self.channels = 0
        self.connections = 0


def check_limits(value: JSON, known: tuple[str, ...], what: str) -> dict[str, int]:
    """`value` as limits; PreconditionFailed names what isn't an integer, or isn't one of the `known` limits.

    what: whose limits, for the texts.
    """
    if not isinstance(value, Mapping):
        raise PreconditionFailed(f'{what} must be a JSON object such as {{"{known[0]}": 100}}, not {value!r}')
    unknown = [name for name in value if name not in known]
    if unknown:
        raise PreconditionFailed(
            f"Unrecognised terms {', '.join(map(repr, unknown))} in {what}; the limits are {', '.join(known)}"
        )
    checked = {}
    for name, limit in value.items():
        no_number = PreconditionFailed(f"{name} should be a number (an integer), actually was {limit!r}")
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise no_number
        if abs(limit) > LIMIT_MAX:
            raise limited(no_number, "values of arguments")
        if limit == 0 and name in RATES:
            raise PreconditionFailed(
                f"{name} is 1 or more; -1 is no limit, and what nobody may send at all is for permissions to say"
            )
        checked[name] = limit
    return checked


def reached(limits: Mapping[str, int], name: str, count: int) -> int | None:
    """The limit, when `count` has reached it."""
    limit = limits.get(name, -1)
    return limit if 0 <= limit <= count else None


def check_connection(broker: Broker, user: str, vhost: VirtualHost) -> None:
    """NotAllowed (530) when another connection of the user to the virtual host is one too many (spec A.3.7)."""
    limit = broker.limits.connections
    if limit is not None and broker.client_count >= limit:
        error = NotAllowed(f"connection refused: node connection limit ({limit}) is reached")
        raise _counted(broker, "connection_max", error)
    limit = reached(vhost.limits, MAX_CONNECTIONS, vhost.client_count)
    if limit is not None:
        raise _counted(
            broker,
            MAX_CONNECTIONS,
            NotAllowed(
                f"access to vhost '{vhost.name}' refused for user '{user}': connection limit ({limit}) is reached"
            ),
        )
    limit = reached(_user_limits(broker, user), MAX_CONNECTIONS, broker.usage_of(user).connections)
    if limit is not None:
        error = NotAllowed(f"connection refused for user '{user}': user connection limit ({limit}) is reached")
        raise _counted(broker, MAX_CONNECTIONS, error)


def check_channel(client: Client) -> None:
    """NotAllowed (530) when another channel of the client's user is one too many (spec A.4)."""
    broker = client.vhost.broker
    limit = reached(_user_limits(broker, client.user.name), MAX_CHANNELS, client.usage.channels)
    if limit is not None:
        error = NotAllowed(
            f"number of channels opened for user '{client.user.name}' has reached "
            f"the maximum allowed user limit of ({limit})"
        )
        raise _counted(broker, MAX_CHANNELS, error)
    limit = broker.limits.channels
    if limit is not None and broker.channel_count >= limit:
        error = NotAllowed(
            f"number of channels opened on node '{NODE}' has reached the maximum allowed limit of ({limit})"
        )
        raise _counted(broker, "channel_max_per_node", error)


def check_consumer(broker: Broker, count: int) -> None:
    """NotAllowed (530) when another consumer beside `count` on a channel is one too many (spec A.5)."""
    limit = broker.limits.consumers_per_channel
    if limit is not None and count >= limit:
        error = NotAllowed(f"reached maximum ({limit}) of consumers per channel; use another channel")
        raise _counted(broker, "consumer_max_per_channel", error)


def check_queue(vhost: VirtualHost, name: str, count: int = 1) -> None:
    """PreconditionFailed (406) when another queue, or so many more, are too many (spec A.5)."""
    limit = reached(vhost.limits, MAX_QUEUES, len(vhost.queues) + count - 1)
    if limit is not None:
        raise _counted(
            vhost.broker,
            MAX_QUEUES,
            PreconditionFailed(
                f"cannot declare queue '{name}': queue limit in vhost '{vhost.name}' ({limit}) is reached"
            ),
        )
    limit = vhost.broker.limits.queues
    if limit is not None and sum(len(each.queues) for each in vhost.broker.vhosts.values()) + count > limit:
        error = PreconditionFailed(f"cannot declare queue '{name}': queue limit in cluster ({limit}) is reached")
        raise _counted(vhost.broker, "cluster_queue_limit", error)


def check_exchange(vhost: VirtualHost, name: str) -> None:
    """PreconditionFailed (406) when another exchange is one too many."""
    limit = vhost.broker.limits.exchanges
    if limit is not None and sum(len(each.exchanges) for each in vhost.broker.vhosts.values()) >= limit:
        raise _counted(
            vhost.broker,
            "cluster_exchange_limit",
            PreconditionFailed(
                f"cannot declare exchange '{name}' in vhost '{vhost.name}': exchange limit of {limit} is reached"
            ),
        )


def check_vhost(broker: Broker, name: str) -> None:
    """PreconditionFailed when another virtual host is one too many."""
    limit = broker.limits.vhosts
    if limit is not None and len(broker.vhosts) >= limit:
        error = PreconditionFailed(f"cannot add vhost '{name}': virtual host limit of {limit} is reached")
        raise _counted(broker, "vhost_max", error)


def _user_limits(broker: Broker, user: str) -> Mapping[str, int]:
    found = broker.users.get(user)
    return found.limits if found is not None else {}


def _counted(broker: Broker, limit: str, error: BrokerError) -> BrokerError:
    broker.limit_hits.count(limit)
    return error
