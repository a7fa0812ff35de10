"""Operations on what users may do in virtual hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.administration.operations import vhosts

if TYPE_CHECKING:
    from warren.core.broker import Broker


def set_permissions(broker: Broker, user: str, vhost: str, configure: str, write: str, read: str) -> None:
    """Let a user into a virtual host, with regular expressions for the names of queues and exchanges (spec G).

    Raises NotFound, PreconditionFailed for what is no expression.
    """
    broker.users.set_permissions(user, vhosts.existing(broker, vhost).name, configure, write, read)


def clear_permissions(broker: Broker, user: str, vhost: str) -> bool:
    """Shut a user out of a virtual host; False when it was so already.  Raises NotFound."""
    return broker.users.clear_permissions(user, vhosts.existing(broker, vhost).name)


def set_topic_permissions(broker: Broker, user: str, vhost: str, exchange: str, write: str, read: str) -> None:
    """Narrow the routing keys that a user may use with a topic exchange, which needn't be there yet.

    Raises NotFound, PreconditionFailed for what is no expression.
    """
    broker.users.set_topic_permissions(user, vhosts.existing(broker, vhost).name, exchange, write, read)


def clear_topic_permissions(broker: Broker, user: str, vhost: str, exchange: str | None = None) -> bool:
    """Lift that again, for one exchange or all of them; False when there was nothing to lift.  Raises NotFound."""
    return broker.users.clear_topic_permissions(user, vhosts.existing(broker, vhost).name, exchange)
