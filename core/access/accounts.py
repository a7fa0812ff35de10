"""Users and how they log in.

The rows (kind "user", no vhost) hold what RabbitMQ exports: password hash, hashing algorithm, tags.  Why a
login was refused is for the log alone; the client gets one text for every reason (A.3.9), so that it can't
find out which names exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from warren.core.access import passwords
from warren.core.errors import AccessRefused, NoSuchUser, PreconditionFailed, Scope
from warren.core.storage.definitions.store import JSON, DefinitionStore

KIND: Final = "user"

DEFAULT_LOOPBACK_USERS: Final = frozenset({"guest"})
"""Users whose password everyone knows (spec G)."""


BROKER_NAME: Final = "(broker)"
"""The user that the broker's own parts and plugins act as; nobody can have the name, so nobody can log in by it."""


@dataclass(frozen=True, slots=True)
class User:
    """One user; changes make a new one.  password_hash: see core.access.passwords.  limits: see core.clients.limits."""

    name: str
    password_hash: str
    hashing_algorithm: str
    tags: frozenset[str]
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)


BROKER: Final = User(BROKER_NAME, "", "", frozenset({"administrator", "impersonator"}))
"""May do everything in every virtual host, and publish with any user_id."""


class LoginRefused(AccessRefused):
    """A login that failed (A.3.9): `text` is for the client, `reason` for the log."""

    scope = Scope.CONNECTION

    def __init__(self, mechanism: str, reason: str) -> None:
        super().__init__(
            f"Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
        )
        self.reason = reason


class LoopbackOnly(LoginRefused):
    """A login that failed since the user may only log in from the broker's own machine (spec G)."""


class Accounts:
    """All users, kept in `store`; `loopback_users` may only log in from this machine."""

    __slots__ = ("_store", "_users", "loopback_users")

    def __init__(self, store: DefinitionStore, loopback_users: frozenset[str]) -> None:
        self._store = store
        self._users: dict[str, User] = {}
        self.loopback_users = loopback_users

    def __contains__(self, name: object) -> bool:
        return name in self._users

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def __len__(self) -> int:
        return len(self._users)

    def restore(self, name: str, value: Mapping[str, JSON]) -> None:
        """Take a row read back from the store."""
        tags = frozenset(cast("list[str]", value["tags"]))
        limits = dict(cast("dict[str, int]", value.get("limits", {})))
        self._users[name] = User(name, str(value["password_hash"]), str(value["hashing_algorithm"]), tags, limits)

    def get(self, name: str) -> User:
        """The user of this name; raises NotFound."""
        user = self._users.get(name)
        if user is None:
            raise NoSuchUser(f"user '{name}' does not exist")
        return user

    def add(self, name: str, password: str, tags: Iterable[str], salt: bytes | None) -> User:
        """Add a user; PreconditionFailed for a name that is taken or blank, or a blank password."""
        self._check_new(name)
        return self._save(User(name, _hash(password, salt), passwords.DEFAULT_ALGORITHM, frozenset(tags)))

    def add_hash(self, name: str, password_hash: str, algorithm: str | None, tags: Iterable[str]) -> User:
        """Add a user with a stored hash; no algorithm means the legacy one, a blank hash no password."""
        self._check_new(name)
        known = passwords.check_algorithm(algorithm or passwords.LEGACY_ALGORITHM)
        return self._save(User(name, passwords.check_hash(password_hash), known, frozenset(tags)))

    def put(self, user: User) -> User:
        """Add the user, or replace the one of this name, as imported definitions do; checked as by `add_hash`."""
        _check_name(user.name)
        passwords.check_algorithm(user.hashing_algorithm)
        passwords.check_hash(user.password_hash)
        return self._save(user)

    def set_limits(self, name: str, limits: Mapping[str, int]) -> User:
        """Replace the user's limits."""
        return self._save(replace(self.get(name), limits=dict(limits)))

    def delete(self, name: str) -> None:
        """Remove the user; raises NotFound."""
        self.get(name)
        del self._users[name]
        self._store.delete(KIND, "", name)

    def change_password(self, name: str, password: str, salt: bytes | None) -> User:
        """Give the user another password, hashed by the default algorithm."""
        algorithm = passwords.DEFAULT_ALGORITHM
        return self._save(replace(self.get(name), password_hash=_hash(password, salt), hashing_algorithm=algorithm))

    def clear_password(self, name: str) -> User:
        """Forbid the user to log in with a password."""
        return self._save(replace(self.get(name), password_hash=passwords.NO_PASSWORD))

    def set_tags(self, name: str, tags: Iterable[str]) -> User:
        """Replace the user's tags."""
        return self._save(replace(self.get(name), tags=frozenset(tags)))

    def authenticate(self, name: str, password: str, is_loopback: bool, mechanism: str) -> User:
        """The user who logs in with this password; raises LoginRefused.

        It takes as long for a name that isn't there, or has no password, as for a wrong password.
        """
        user = self._users.get(name)
        stored, algorithm = passwords.STAND_IN, passwords.DEFAULT_ALGORITHM
        if user is not None and user.password_hash != passwords.NO_PASSWORD:
            stored, algorithm = user.password_hash, user.hashing_algorithm
        if not passwords.verify(password, stored, algorithm) or user is None:
            raise LoginRefused(mechanism, f"user '{name}' - invalid credentials")
        return self.admit(name, is_loopback, mechanism)

    def admit(self, name: str, is_loopback: bool, mechanism: str) -> User:
        """The user of a mechanism that needs no password (EXTERNAL, ANONYMOUS); raises LoginRefused."""
        user = self._users.get(name)
        if user is None:
            raise LoginRefused(mechanism, f"user '{name}' - invalid credentials")
        if not is_loopback and name in self.loopback_users:
            raise LoopbackOnly(mechanism, f"user '{name}' can only connect via localhost")
        return user

    def _check_new(self, name: str) -> None:
        _check_name(name)
        if name in self._users:
            raise PreconditionFailed(f"user '{name}' already exists")

    def _save(self, user: User) -> User:
        value: dict[str, JSON] = {
            "password_hash": user.password_hash,
            "hashing_algorithm": user.hashing_algorithm,
            "tags": sorted(user.tags),
            "limits": dict(user.limits),
        }
        self._store.check_room()
        self._store.put(KIND, "", user.name, value)
        self._users[user.name] = user
        return user


def _hash(password: str, salt: bytes | None) -> str:
    return passwords.hash_password(password, os.urandom(passwords.SALT_BYTES) if salt is None else salt)


def _check_name(name: str) -> None:
    if not name:
        raise PreconditionFailed("a user name can't be blank")
    if name == BROKER_NAME:
        raise PreconditionFailed(f"the user name '{BROKER_NAME}' is the broker's own; choose another one")
