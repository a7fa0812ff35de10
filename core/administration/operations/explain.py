"""The operation that says where a message would go, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.administration.explaining.explain import DryPublish
from warren.core.administration.explaining.explain import explain as explain_in_slices
from warren.core.administration.operations import users, vhosts
from warren.core.administration.steps import Steps

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.administration.explaining.explanation import Explanation
    from warren.core.broker import Broker
    from warren.core.messages.properties import Properties


def explain(
    broker: Broker,
    vhost: str,
    exchange: str,
    routing_key: str,
    properties: Properties,
    *,
    body_size: int = 0,
    user: User | str | None = None,
) -> Steps[Explanation]:
    """A dry run of a publish: nothing is published, and nothing changes.

    exchange: empty for the default one.  body_size: of the message, in bytes, for queues that are bounded by it.  user:
    whose permissions count, None for nobody's.  What would be refused is an outcome.  Raises NotFound for an unknown
    virtual host, NoSuchUser.
    """
    found = vhosts.existing(broker, vhost)
    publisher = users.existing(broker, user) if isinstance(user, str) else user
    return Steps(explain_in_slices(found, DryPublish(exchange, routing_key, properties, body_size), publisher))
