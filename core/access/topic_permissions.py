"""Which routing keys a user may write to or read from a topic exchange.

The rows (kind "topic_permission", in a vhost, named by user and exchange) are kept per user here.  They only
narrow: without a row for an exchange every key is allowed (spec G), and the permissions of the exchange
itself are asked first.

Keys are not cached as names are: they are many and rarely repeat, and whoever publishes caches the resolved
route.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from warren.core.access.patterns import Patterns, check_pattern
from warren.core.errors import AccessRefused
from warren.core.storage.definitions.store import JSON, DefinitionStore

KIND: Final = "topic_permission"

TopicVerb: TypeAlias = Literal["write", "read"]


class TopicPermission(NamedTuple):
    """The two expressions on routing keys of one user for one exchange."""

    write: str
    read: str


class TopicPermissions:
    """The topic permissions of all users, kept in `store`."""

    __slots__ = ("_patterns", "_store", "_users")

    def __init__(self, store: DefinitionStore, patterns: Patterns) -> None:
        self._store = store
        self._patterns = patterns
        self._users: dict[str, dict[tuple[str, str], TopicPermission]] = {}

    def restore(self, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        """Take a row read back from the store."""
        user, exchange = json.loads(name)
        permission = TopicPermission(str(value["write"]), str(value["read"]))
        self._users.setdefault(user, {})[vhost, exchange] = permission

    def set(self, user: str, vhost: str, exchange: str, permission: TopicPermission) -> None:
        """Narrow what the user may do with the exchange; PreconditionFailed if an expression is invalid."""
        check(permission)
        self._store.check_room()
        self._store.put(KIND, vhost, _row_name(user, exchange), permission._asdict())
        self._users.setdefault(user, {})[vhost, exchange] = permission

    def clear(self, user: str, vhost: str, exchange: str | None) -> bool:
        """Lift the limits on one exchange, or with None on all of the vhost; False when there were none."""
        found = self.exchanges_of(user, vhost, exchange)
        for each in found:
            del self._users[user][vhost, each]
            self._store.delete(KIND, vhost, _row_name(user, each))
        return bool(found)

    def exchanges_of(self, user: str, vhost: str, exchange: str | None) -> list[str]:
        """The exchanges of the vhost with which the user is limited, all or this one."""
        found = self._users.get(user, {})
        return [name for of_vhost, name in found if of_vhost == vhost and exchange in (None, name)]

    def forget_user(self, user: str) -> None:
        """Drop all rows of the user."""
        for vhost in {key[0] for key in self._users.get(user, ())}:
            self.clear(user, vhost, None)
        self._users.pop(user, None)

    def forget_vhost(self, vhost: str) -> None:
        """Drop all rows of the vhost."""
        for user in self._users:
            self.clear(user, vhost, None)

    def in_vhost(self, vhost: str) -> list[tuple[str, str, TopicPermission]]:
        """(user, exchange, permission) of every row in the vhost."""
        return [
            (user, exchange, permission)
            for user, exchanges in self._users.items()
            for (of_vhost, exchange), permission in exchanges.items()
            if of_vhost == vhost
        ]

    def of_user(self, user: str) -> list[tuple[str, str, TopicPermission]]:
        """(vhost, exchange, permission) of every row of the user."""
        return [(vhost, exchange, found) for (vhost, exchange), found in self._users.get(user, {}).items()]

    def narrows(self, user: str, vhost: str, exchange: str) -> bool:
        """True when there is a row for it."""
        return (vhost, exchange) in self._users.get(user, {})

    def check(
        self,
        user: str,
        vhost: str,
        exchange: str,
        routing_key: str,
        verb: TopicVerb,
        variables: Mapping[str, str],
    ) -> None:
        """Raise AccessRefused (403, A.5) unless the user may use this key."""
        permission = self._users.get(user, {}).get((vhost, exchange))
        if permission is None:
            return
        pattern = permission.write if verb == "write" else permission.read
        known = {**variables, "username": user, "vhost": vhost}
        if not self._patterns.matches(pattern, known, routing_key):
            raise AccessRefused(
                f"{verb} access to topic '{routing_key}' in exchange '{exchange}' in vhost '{vhost}' "
                f"refused for user '{user}'"
            )


def check(permission: TopicPermission) -> None:
    """PreconditionFailed for an expression that is none."""
    for pattern in permission:
        check_pattern(pattern)


def change(
    user: str, vhost: str, exchange: str, permission: TopicPermission | None
) -> tuple[str, str, str, Mapping[str, JSON] | None]:
    """For the cluster to agree on (core.cluster.agreements); None to lift the limits."""
    return *row_of(user, vhost, exchange), None if permission is None else permission._asdict()


def row_of(user: str, vhost: str, exchange: str) -> tuple[str, str, str]:
    """Kind, virtual host and name of the row that it is kept in."""
    return KIND, vhost, _row_name(user, exchange)


def _row_name(user: str, exchange: str) -> str:
    return json.dumps([user, exchange])
