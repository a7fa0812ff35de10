"""Permissions and topic permissions, as list_permissions and list_topic_permissions show them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among

if TYPE_CHECKING:
    from warren.core.access.permissions import Permission
    from warren.core.access.topic_permissions import TopicPermission
    from warren.core.broker import Broker


class PermissionRow(Row):
    """What one user may do in one virtual host."""

    __slots__ = ("in_vhost", "permission", "user_name")

    def __init__(self, in_vhost: str, user_name: str, permission: Permission) -> None:
        self.in_vhost = in_vhost
        self.user_name = user_name
        self.permission = permission

    @Column
    def vhost(self) -> str:
        """The virtual host."""
        return self.in_vhost

    @Column
    def user(self) -> str:
        """The user's name."""
        return self.user_name

    @Column
    def configure(self) -> str:
        """Names of what the user may declare and delete, as a regular expression."""
        return self.permission.configure

    @Column
    def write(self) -> str:
        """Names of what the user may publish to."""
        return self.permission.write

    @Column
    def read(self) -> str:
        """Names of what the user may consume from."""
        return self.permission.read


class TopicPermissionRow(Row):
    """Which routing keys one user may use with one exchange."""

    __slots__ = ("exchange_name", "in_vhost", "permission", "user_name")

    def __init__(self, in_vhost: str, user_name: str, exchange_name: str, permission: TopicPermission) -> None:
        self.in_vhost = in_vhost
        self.user_name = user_name
        self.exchange_name = exchange_name
        self.permission = permission

    @Column
    def vhost(self) -> str:
        """The virtual host."""
        return self.in_vhost

    @Column
    def user(self) -> str:
        """The user's name."""
        return self.user_name

    @Column
    def exchange(self) -> str:
        """The exchange's name."""
        return self.exchange_name

    @Column
    def write(self) -> str:
        """Routing keys that the user may publish with, as a regular expression."""
        return self.permission.write

    @Column
    def read(self) -> str:
        """Routing keys that the user may bind with."""
        return self.permission.read


def _permissions(broker: Broker, vhosts: Vhosts) -> Iterator[PermissionRow]:
    for vhost in vhosts_among(broker, vhosts):
        for user, permission in broker.users.permissions_in(vhost.name):
            yield PermissionRow(vhost.name, user, permission)


def _topic_permissions(broker: Broker, vhosts: Vhosts) -> Iterator[TopicPermissionRow]:
    for vhost in vhosts_among(broker, vhosts):
        for user, exchange, permission in broker.users.topic_permissions_in(vhost.name):
            yield TopicPermissionRow(vhost.name, user, exchange, permission)


def _count_permissions(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(broker.users.permissions_in(vhost.name)) for vhost in vhosts_among(broker, vhosts))


def _count_topic_permissions(broker: Broker, vhosts: Vhosts) -> int:
    return sum(len(broker.users.topic_permissions_in(vhost.name)) for vhost in vhosts_among(broker, vhosts))


PERMISSIONS = Kind(
    "permissions",
    PermissionRow,
    _permissions,
    _count_permissions,
    shown=("user", "configure", "write", "read"),
)

TOPIC_PERMISSIONS = Kind(
    "topic_permissions",
    TopicPermissionRow,
    _topic_permissions,
    _count_topic_permissions,
    shown=("user", "exchange", "write", "read"),
)
