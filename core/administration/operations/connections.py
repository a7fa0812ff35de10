"""Operations on connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.administration.operations import users, vhosts
from warren.core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.broker import Broker, SessionEntry


def close(broker: Broker, name: str, reason: str) -> None:
    """Close the connection of this name or pid (320 CONNECTION_FORCED in AMQP); NotFound when there is none."""
    found = [session for session in broker.sessions if name in _names(session)]
    if not found:
        raise NotFound(f"no connection has the pid or name '{name}'")
    for session in found:
        session.force_close(reason)


def close_all(
    broker: Broker,
    reason: str,
    *,
    vhost: str | None = None,
    user: str | None = None,
    spares: Callable[[SessionEntry], bool] = lambda _: False,
) -> int:
    """Close all connections, or those to a virtual host, or of a user, or both; how many those were.

    spares: says which stay all the same.  Raises NotFound for an unknown virtual host, NoSuchUser.
    """
    if vhost is not None:
        vhosts.existing(broker, vhost)
    if user is not None:
        users.existing(broker, user)
    count = 0
    for session in list(broker.sessions):
        row = session.connection_row()
        if vhost in (None, row.vhost) and user in (None, row.user) and not spares(session):
            session.force_close(reason)
            count += 1
    return count


def _names(session: SessionEntry) -> tuple[str, str]:
    row = session.connection_row()
    return row.pid, row.name
