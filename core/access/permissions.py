"""What each user may do in each virtual host: one expression each for configure, write and read.

The rows (kind "permission", named by vhost and user) are the truth on disk; here they are kept per user.
Having a row in a vhost, even one that allows nothing, is what lets a user open it.

Answers are cached by everything they depend on except the rows, and the cache is dropped when a row changes.
It is bounded because clients choose the names that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from warren.core.access.accounts import BROKER_NAME
from warren.core.access.patterns import Patterns, check_pattern
from warren.core.errors import AccessRefused
from warren.core.storage.definitions.store import JSON, DefinitionStore

KIND: Final = "permission"

ANSWERS_MAX: Final = 8192
"""Cached answers, some 250 bytes each: ample for names in use, about 2 MB when a client tries to fill it."""

ResourceKind: TypeAlias = Literal["queue", "exchange"]
Verb: TypeAlias = Literal["configure", "write", "read"]

DEFAULT_EXCHANGE_NAME: Final = "amq.default"
"""The name under which expressions, and errors, know the exchange whose name is blank."""


class Permission(NamedTuple):
    """The three expressions of one user in one vhost (core.access.patterns says what they mean)."""

    configure: str
    write: str
    read: str


EVERYTHING: Final = Permission(".*", ".*", ".*")
"""What the broker itself has in every vhost."""


class Permissions:
    """The permissions of all users, kept in `store`."""

    __slots__ = ("_answers", "_patterns", "_store", "_users")

    def __init__(self, store: DefinitionStore, patterns: Patterns) -> None:
        self._store = store
        self._patterns = patterns
        self._users: dict[str, dict[str, Permission]] = {}
        self._answers: dict[tuple[str, str, str, str, str], bool] = {}

    def restore(self, vhost: str, user: str, value: Mapping[str, JSON]) -> None:
        """Take a row read back from the store; an invalid expression in it is kept, and allows nothing."""
        permission = Permission(str(value["configure"]), str(value["write"]), str(value["read"]))
        self._users.setdefault(user, {})[vhost] = permission

    def set(self, user: str, vhost: str, permission: Permission) -> None:
        """Give the user these permissions in the vhost instead of others; PreconditionFailed if invalid."""
        check(permission)
        self._store.check_room()
        self._store.put(KIND, vhost, user, permission._asdict())
        self._users.setdefault(user, {})[vhost] = permission
        self._answers.clear()

    def clear(self, user: str, vhost: str) -> bool:
        """Take the user's permissions in the vhost away; False when there were none."""
        vhosts = self._users.get(user, {})
        if vhosts.pop(vhost, None) is None:
            return False
        self._store.delete(KIND, vhost, user)
        self._answers.clear()
        return True

    def forget_user(self, user: str) -> None:
        """Take away all that the user has, anywhere."""
        for vhost in list(self._users.get(user, ())):
            self.clear(user, vhost)
        self._users.pop(user, None)

    def forget_vhost(self, vhost: str) -> None:
        """Take away all that anyone has in this vhost."""
        for user in self.users_in(vhost):
            self.clear(user, vhost)

    def users_in(self, vhost: str) -> list[str]:
        """Who may open the vhost."""
        return [user for user, vhosts in self._users.items() if vhost in vhosts]

    def of(self, user: str, vhost: str) -> Permission | None:
        """What the user has in the vhost; None when the user may not open it."""
        if user == BROKER_NAME:
            return EVERYTHING
        return self._users.get(user, {}).get(vhost)

    def in_vhost(self, vhost: str) -> list[tuple[str, Permission]]:
        """(user, permission) of everyone who may open the vhost."""
        return [(user, vhosts[vhost]) for user, vhosts in self._users.items() if vhost in vhosts]

    def of_user(self, user: str) -> list[tuple[str, Permission]]:
        """(vhost, permission) for every vhost that the user may open."""
        return list(self._users.get(user, {}).items())

    def check(self, user: str, vhost: str, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403, A.5) unless the user may do `verb` to the queue or exchange."""
        question = (user, vhost, kind, name, verb)
        allowed = self._answers.get(question)
        if allowed is None:
            allowed = self._remember(question)
        if not allowed:
            raise AccessRefused(
                f"{verb} access to {kind} '{known_name(kind, name)}' in vhost '{vhost}' refused for user '{user}'"
            )

    def _remember(self, question: tuple[str, str, ResourceKind, str, Verb]) -> bool:
        if len(self._answers) >= ANSWERS_MAX:
            self._answers.clear()
        allowed = self._allows(*question)
        self._answers[question] = allowed
        return allowed

    def _allows(self, user: str, vhost: str, kind: ResourceKind, name: str, verb: Verb) -> bool:
        permission = self.of(user, vhost)
        if permission is None:
            return False
        pattern: str = getattr(permission, verb)
        variables = {"username": user, "vhost": vhost}
        return self._patterns.matches(pattern, variables, known_name(kind, name))


def check(permission: Permission) -> None:
    """PreconditionFailed for an expression that is none."""
    for pattern in permission:
        check_pattern(pattern)


def known_name(kind: ResourceKind, name: str) -> str:
    """What expressions, back-ends and errors call it."""
    return DEFAULT_EXCHANGE_NAME if kind == "exchange" and not name else name
