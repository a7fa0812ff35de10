"""Operations on runtime parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from warren.core.access.permissions import EVERYTHING
from warren.core.administration import parameters
from warren.core.administration.operations import vhosts
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON


def set_parameter(broker: Broker, vhost: str, component: str, name: str, value: JSON) -> None:
    """Set a parameter of a component; NotFound, PreconditionFailed for an unknown component or an unusable value."""
    parameters.set_parameter(broker, vhosts.existing(broker, vhost).name, component, name, value)


def check_reach(broker: Broker, user: User, vhost: str, component: str, name: str, value: JSON) -> None:
    """Raise AccessRefused (403) where a parameter would let its setter reach what the user may not (spec E.1).

    user: who isn't an administrator.  PreconditionFailed for an unusable value.
    """
    if not broker.parameters.knows(component):
        return
    broker.parameters.check(vhost, component, name, value)
    if user.rights is not None:
        if any(True for _ in broker.parameters.reached(component, value)):
            raise AccessRefused(
                f"'{name}' acts within this broker as a user whom the broker knows, and '{user.name}' is another "
                "back-end's: a URI has to name a host, or an administrator has to set it"
            )
        return
    permissions = dict(broker.users.permissions_of(user.name))
    for where, as_whom in broker.parameters.reached(component, value):
        permission = permissions.get(where)
        if permission is None:
            raise AccessRefused(f"'{name}' reaches the virtual host '{where}', which user '{user.name}' may not access")
        if as_whom is not None and as_whom != user.name:
            raise AccessRefused(f"'{name}' acts in this broker as the user '{as_whom}', who isn't '{user.name}'")
        if as_whom is None and permission != EVERYTHING:
            raise AccessRefused(
                f"'{name}' may do everything in the virtual host '{where}', and user '{user.name}' may not: a URI "
                f"without a host has to name the user, as in amqp://{quote(user.name, safe='')}@/VHOST"
            )


def clear_parameter(broker: Broker, vhost: str, component: str, name: str) -> None:
    """Remove a parameter of a component; NotFound, NoSuchParameter when there is none of this name."""
    parameters.clear_parameter(broker, vhosts.existing(broker, vhost).name, component, name)


def set_global(broker: Broker, name: str, value: JSON) -> None:
    """Set a parameter of the whole broker; PreconditionFailed for a blank name."""
    broker.parameters.set_global(name, value)


def clear_global(broker: Broker, name: str) -> None:
    """Remove a parameter of the whole broker; NoSuchParameter."""
    broker.parameters.clear_global(name)
