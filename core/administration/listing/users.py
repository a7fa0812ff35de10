"""Users, as list_users and the management API show them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker


class UserRow(Row):
    """One user, as it was when the row was made; it is read-only, and a change makes a new one."""

    __slots__ = ("record",)

    def __init__(self, record: User) -> None:
        self.record = record

    @Column
    def user(self) -> str:
        """The name, in rabbitmqctl."""
        return self.record.name

    @Column
    def name(self) -> str:
        """The name, in the management API."""
        return self.record.name

    @Column
    def tags(self) -> list[str]:
        """administrator, monitoring..."""
        return sorted(self.record.tags)

    @Column
    def limits(self) -> Mapping[str, int]:
        """How many connections and channels the user may have, where that is limited."""
        return dict(self.record.limits)

    @Column
    def password_hash(self) -> str:
        """As RabbitMQ exports it; empty for a user without a password."""
        return self.record.password_hash

    @Column
    def hashing_algorithm(self) -> str:
        """How the hash was made."""
        return self.record.hashing_algorithm


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[UserRow]:
    return map(UserRow, list(broker.users))


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return len(broker.users)


USERS = Kind("users", UserRow, _rows, _count, shown=("user", "tags"))
"""Users belong to no virtual host: whichever are asked for, all of them are listed."""
