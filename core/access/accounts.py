"""Users and how they log in.

The rows (kind "user", no vhost) hold what RabbitMQ exports: password hash, hashing algorithm, tags.  Why a
login was refused is for the log alone; the client gets one text for every reason (A.3.9), so that it can't
find out which names exist.

A name may be one user's today and another's tomorrow, so each user has an id, which is never another's.  What outlives
a connection is noted with name and id.  From a deletion until nothing is left of the deleted user, on disk too, a row
of kind "deleted_user" says that under this name only what has the present user's id is that user's (`owns`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final, cast

from warren.core.access import mosquitto_passwords, passwords
from warren.core.errors import AccessRefused, NoSuchUser, PreconditionFailed, Scope
from warren.core.frozen import frozen
from warren.core.storage.definitions.store import JSON, DefinitionStore

if TYPE_CHECKING:
    from warren.core.access.rights import Rights

KIND: Final = "user"

DELETED_KIND: Final = "deleted_user"

ID_BYTES: Final = 8
"""Random: a counter's row may be lost to damage, and would give an id again."""

DEFAULT_LOOPBACK_USERS: Final = frozenset({"guest"})
"""Users whose password everyone knows (spec G)."""


BROKER_NAME: Final = "(broker)"
"""The user that the broker's own parts and plugins act as; nobody can have the name, so nobody can log in by it."""


@frozen
class User:
    """One user; changes make a new one.  password_hash: see core.access.passwords.  limits: see core.clients.limits.

    id: tells the user from all others that have had the name, or will; empty for one who was there before there were
    ids, and for one whom another back-end vouches for.  rights: what counts instead of permissions for one of the
    latter (core.access.rights).
    """

    name: str
    password_hash: str
    hashing_algorithm: str
    tags: frozenset[str]
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    id: str = ""
    rights: Rights | None = field(default=None, compare=False, repr=False)


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
    """All users, kept in `store`; `loopback_users` may only log in from this machine.

    leaving: names of deleted users of whom something may be left.
    """

    __slots__ = ("_slow", "_store", "_users", "leaving", "loopback_users")

    def __init__(self, store: DefinitionStore, loopback_users: frozenset[str]) -> None:
        self._store = store
        self._users: dict[str, User] = {}
        self._slow: str | None = None
        self.leaving: dict[str, None] = {}
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
        self._slow = None
        self._users[name] = User(
            name,
            str(value["password_hash"]),
            str(value["hashing_algorithm"]),
            tags,
            limits,
            str(value.get("id", "")),
        )

    def restore_deleted(self, name: str) -> None:
        """Take the row of a deletion whose work wasn't done when the broker ended."""
        self.leaving[name] = None

    def owns(self, name: str, id: str) -> bool:
        """Whether what was noted with this name and id is the present user's of the name, or may be."""
        if name not in self.leaving:
            return True
        user = self._users.get(name)
        return user is not None and user.id == id

    def get(self, name: str) -> User:
        """The user of this name; raises NotFound."""
        user = self._users.get(name)
        if user is None:
            raise NoSuchUser(f"user '{name}' does not exist")
        return user

    def add(self, name: str, password: str, tags: Iterable[str], salt: bytes | None) -> User:
        """Add a user; PreconditionFailed for a name that is taken or blank, or a blank password."""
        return self._save(self.added(name, password, tags, salt))

    def added(self, name: str, password: str, tags: Iterable[str], salt: bytes | None) -> User:
        """Whom `add` would add; this and the like change nothing yet."""
        self._check_new(name)
        hashed = _hash(password, salt)
        return User(name, hashed, passwords.DEFAULT_ALGORITHM, frozenset(tags), id=new_id())

    def add_hash(self, name: str, password_hash: str, algorithm: str | None, tags: Iterable[str]) -> User:
        """Add a user with a stored hash; no algorithm means the legacy one, a blank hash no password."""
        return self._save(self.added_hash(name, password_hash, algorithm, tags))

    def added_hash(self, name: str, password_hash: str, algorithm: str | None, tags: Iterable[str]) -> User:
        """Whom `add_hash` would add."""
        self._check_new(name)
        known = passwords.check_algorithm(algorithm or passwords.LEGACY_ALGORITHM)
        checked = passwords.check_hash(password_hash, known)
        return User(name, checked, known, frozenset(tags), id=new_id())

    def put(self, user: User) -> User:
        """Add the user, or replace the one of this name, as imported definitions do; checked as by `add_hash`.

        Who is replaced is the same user as before.
        """
        return self._save(self.replaced(user))

    def replaced(self, user: User) -> User:
        """Whom `put` would put."""
        check_name(user.name)
        passwords.check_algorithm(user.hashing_algorithm)
        passwords.check_hash(user.password_hash, user.hashing_algorithm)
        before = self._users.get(user.name)
        return replace(user, id=new_id() if before is None else before.id)

    def set_limits(self, name: str, limits: Mapping[str, int]) -> User:
        """Replace the user's limits."""
        return self._save(self.with_limits(name, limits))

    def with_limits(self, name: str, limits: Mapping[str, int]) -> User:
        """Whom `set_limits` would make of the user."""
        return replace(self.get(name), limits=dict(limits))

    def delete(self, name: str) -> None:
        """Remove the user; raises NotFound.  Until `gone`, what was the user's is nobody's."""
        self.get(name)
        self._slow = None
        del self._users[name]
        self._store.delete(KIND, "", name)
        self._store.put(DELETED_KIND, "", name, {})
        self.leaving[name] = None

    def gone(self, name: str) -> None:
        """Nothing is left of deleted users of this name."""
        if name in self.leaving:
            del self.leaving[name]
            self._store.delete(DELETED_KIND, "", name)

    def change_password(self, name: str, password: str, salt: bytes | None) -> User:
        """Give the user another password, hashed by the default algorithm."""
        return self._save(self.with_password(name, password, salt))

    def with_password(self, name: str, password: str, salt: bytes | None) -> User:
        """Whom `change_password` would make of the user."""
        algorithm = passwords.DEFAULT_ALGORITHM
        return replace(self.get(name), password_hash=_hash(password, salt), hashing_algorithm=algorithm)

    def clear_password(self, name: str) -> User:
        """Forbid the user to log in with a password."""
        return self._save(self.without_password(name))

    def without_password(self, name: str) -> User:
        """Whom `clear_password` would make of the user."""
        return replace(self.get(name), password_hash=passwords.NO_PASSWORD)

    def set_tags(self, name: str, tags: Iterable[str]) -> User:
        """Replace the user's tags."""
        return self._save(self.with_tags(name, tags))

    def with_tags(self, name: str, tags: Iterable[str]) -> User:
        """Whom `set_tags` would make of the user."""
        return replace(self.get(name), tags=frozenset(tags))

    def put_row(self, name: str, row: Mapping[str, JSON]) -> None:
        """Have the user of this row, whoever was there before by the name."""
        self._store.put(KIND, "", name, row)
        self.restore(name, row)

    def authenticate(self, name: str, password: str, is_loopback: bool, mechanism: str) -> User:
        """The user who logs in with this password; raises LoginRefused.

        It takes as long for a name that isn't there, or has no password, as for a wrong password.
        """
        user = self._users.get(name)
        stored, algorithm = passwords.STAND_IN, passwords.DEFAULT_ALGORITHM
        if user is not None and user.password_hash != passwords.NO_PASSWORD:
            stored, algorithm = user.password_hash, user.hashing_algorithm
        slow = self._slowest()
        if slow and algorithm != mosquitto_passwords.PBKDF2_SHA512:
            passwords.verify(password, slow, mosquitto_passwords.PBKDF2_SHA512)
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

    def _slowest(self) -> str:
        """What to compare with, too, so that no name takes longer than others; empty when all are quick."""
        if self._slow is None:
            iterations = max((mosquitto_passwords.iterations_of(each) for each in self._mosquitto_hashes()), default=0)
            self._slow = mosquitto_passwords.stand_in(iterations) if iterations else ""
        return self._slow

    def _mosquitto_hashes(self) -> Iterator[str]:
        for user in self._users.values():
            if user.hashing_algorithm == mosquitto_passwords.PBKDF2_SHA512 and user.password_hash:
                yield user.password_hash

    def _check_new(self, name: str) -> None:
        check_name(name)
        if name in self._users:
            raise PreconditionFailed(f"user '{name}' already exists")

    def _save(self, user: User) -> User:
        self._store.check_room()
        self._store.put(KIND, "", user.name, row_of(user))
        self._slow = None
        self._users[user.name] = user
        return user


def row_of(user: User) -> dict[str, JSON]:
    """As a user is kept."""
    return {
        "password_hash": user.password_hash,
        "hashing_algorithm": user.hashing_algorithm,
        "tags": sorted(user.tags),
        "limits": dict(user.limits),
        "id": user.id,
    }


def new_id() -> str:
    """An id that no user has had."""
    return os.urandom(ID_BYTES).hex()


def _hash(password: str, salt: bytes | None) -> str:
    return passwords.hash_password(password, os.urandom(passwords.SALT_BYTES) if salt is None else salt)


def check_name(name: str) -> None:
    """PreconditionFailed for a name that no user can have."""
    if not name:
        raise PreconditionFailed("a user name can't be blank")
    if name == BROKER_NAME:
        raise PreconditionFailed(f"the user name '{BROKER_NAME}' is the broker's own; choose another one")
