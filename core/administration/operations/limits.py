"""Operations on limits of virtual hosts and users (spec G)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.operations import users, vhosts
from warren.core.administration.vhost_limits import COMPONENT, NAME
from warren.core.clients.limits import USER_LIMITS, VHOST_LIMITS, check_limits
from warren.core.errors import NotFound

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

ALL: Final = "all"
"""In the place of a limit's name: every one of a user or virtual host."""


def of_vhost(broker: Broker, vhost: str) -> Mapping[str, int]:
    """The limits of a virtual host; NotFound when there is no such virtual host."""
    return vhosts.existing(broker, vhost).limits


def set_of_vhost(broker: Broker, vhost: str, limits: JSON) -> None:
    """Replace the limits of a virtual host: `max-connections`, `max-queues`; -1 is no limit.

    Raises NotFound, PreconditionFailed for what are no limits.
    """
    broker.parameters.set(vhosts.existing(broker, vhost).name, COMPONENT, NAME, limits)


def clear_of_vhost(broker: Broker, vhost: str, limit: str = ALL) -> None:
    """Lift one limit of a virtual host, or ALL; NotFound when there are none, or for an unknown limit."""
    limits = of_vhost(broker, vhost)
    if limit not in (ALL, *VHOST_LIMITS):
        raise NotFound(f"unknown limit '{limit}'; the limits are {', '.join(VHOST_LIMITS)}, or {ALL}")
    left: dict[str, JSON] = {name: limits[name] for name in limits if limit not in (ALL, name)}
    if left:
        broker.parameters.set(vhost, COMPONENT, NAME, left)
    else:
        broker.parameters.clear(vhost, COMPONENT, NAME)


def of_user(broker: Broker, user: str) -> Mapping[str, int]:
    """The limits of a user; NotFound when there is no such user."""
    return users.existing(broker, user).limits


def set_of_user(broker: Broker, user: str, limits: JSON) -> None:
    """Set limits of a user: `max-connections`, `max-channels`; others stay.

    Raises NotFound, PreconditionFailed for what are no limits.
    """
    found = users.existing(broker, user)
    broker.users.set_limits(user, {**found.limits, **check_limits(limits, USER_LIMITS, "user-limits")})


def clear_of_user(broker: Broker, user: str, limit: str) -> None:
    """Lift one limit of a user, or ALL; NotFound for an unknown user or limit."""
    limits = of_user(broker, user)
    if limit not in (ALL, *USER_LIMITS):
        raise NotFound(f"unknown limit '{limit}'; the limits are {', '.join(USER_LIMITS)}, or {ALL}")
    broker.users.set_limits(user, {name: limits[name] for name in limits if limit not in (ALL, name)})
