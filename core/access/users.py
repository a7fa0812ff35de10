"""The one door to users and their permissions.

It joins three parts that keep their own rows (accounts, permissions, topic permissions): deleting a user or a
vhost reaches all of them, permissions are only given to users that exist, and every change is counted in
`version`, by which others know that routes they resolved earlier, with the checks made then, have to be
resolved again.

Permissions may name vhosts that this part knows nothing about: whoever sets them checks that the vhost is
there, and whoever deletes a vhost calls `forget_vhost`.

Longer than 400 lines because it is the one door to all three, and every question to one of them passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.core.access import accounts, permissions, scram, topic_permissions
from warren.core.access.accounts import DEFAULT_LOOPBACK_USERS, Accounts, LoginRefused, User
from warren.core.access.answers import Answers
from warren.core.access.patterns import Patterns
from warren.core.access.permissions import Permission, Permissions, ResourceKind, Verb
from warren.core.access.questions import Secret
from warren.core.access.scram import Verifiers
from warren.core.access.topic_permissions import TopicPermission, TopicPermissions, TopicVerb
from warren.core.component import Component
from warren.core.errors import StorageError
from warren.core.storage.definitions.store import JSON, DefinitionStore

if TYPE_CHECKING:
    from warren.core.access.chain import Chain
    from warren.core.cluster.agreements import Agreements

__all__ = ["LoginRefused", "User", "Users"]

OnWithdrawal: TypeAlias = Callable[[str, str | None], None]

PERMISSIONS_PER_SLICE: Final = 300
"""Taken away in one turn: each is a row of the definitions."""

NO_VARIABLES: Final[Mapping[str, str]] = {}


class Users(Component):
    """All users with their permissions, kept in `store`. Iterating gives users in the order they were added.

    Methods that name a user who isn't there raise NotFound, except the checks, which refuse.
    version: grows with every change.  verifiers: what SCRAM needs to know of passwords.  chain: who is asked at logins;
    None when that is these users alone.  answers: of the others.  agreements: of the cluster that these users belong
    to, if there is one (core.cluster.agreements).  refuses: why a user's login from an address isn't looked at
    (core.clients.guessing).
    """

    __slots__ = (
        "_accounts",
        "_on_change",
        "_on_limits",
        "_on_withdrawal",
        "_patterns",
        "_permissions",
        "_topic_permissions",
        "agreements",
        "answers",
        "chain",
        "refuses",
        "verifiers",
        "version",
    )

    def __init__(self, store: DefinitionStore, loopback_users: frozenset[str] = DEFAULT_LOOPBACK_USERS) -> None:
        """Start without users; `load_users` starts with those of the store."""
        self._patterns = patterns = Patterns()
        self._accounts = Accounts(store, loopback_users)
        self._permissions = Permissions(store, patterns)
        self._topic_permissions = TopicPermissions(store, patterns)
        self.verifiers = Verifiers(store)
        self.answers = Answers()
        self.chain: Chain | None = None
        self.agreements: Agreements | None = None
        self.version = 1
        self._on_change: Callable[[], None] = _nothing
        self._on_withdrawal: OnWithdrawal = _nothing_withdrawn
        self._on_limits: Callable[[], None] = _nothing
        self.refuses: Callable[[str, str], str] = _refuses_nobody

    def listen(
        self,
        on_change: Callable[[], None],
        on_withdrawal: OnWithdrawal,
        on_limit: Callable[[str], None],
        now_ms: Callable[[], int] | None = None,
        on_limits: Callable[[], None] | None = None,
    ) -> None:
        """Have these called, by the one broker that these are the users of.

        on_change: with every change.  on_withdrawal: when a user may do less: with the user and the virtual host, None
        for a user who is deleted.  on_limit: when a limit of expressions has done something: with its name.
        now_ms: the broker's time.  on_limits: when a user's limits may be others.
        """
        if on_limits is not None:
            self._on_limits = on_limits
        if now_ms is not None:
            self.answers.now_ms = now_ms
        self._patterns.on_limit = on_limit
        self._on_change = on_change
        self._on_withdrawal = on_withdrawal

    def __contains__(self, name: object) -> bool:
        return name in self._accounts

    def __iter__(self) -> Iterator[User]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def __getitem__(self, name: str) -> User:
        return self._accounts.get(name)

    def get(self, name: str) -> User | None:
        """The user of this name, None when there is none."""
        return self._accounts.get(name) if name in self._accounts else None

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of the definition store if its kind is ours, else return False.

        Raises StorageError for a row of ours that lacks what it should hold.
        """
        try:
            if kind == accounts.KIND:
                self._accounts.restore(name, value)
            elif kind == accounts.DELETED_KIND:
                self._accounts.restore_deleted(name)
            elif kind == permissions.KIND:
                self._permissions.restore(vhost, name, value)
            elif kind == topic_permissions.KIND:
                self._topic_permissions.restore(vhost, name, value)
            elif kind == scram.KIND:
                self.verifiers.restore(name, value)
            else:
                return False
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"definition of kind '{kind}', name '{name}' is damaged ({error!r}). Restore the definition "
                "database from a backup."
            ) from error
        self._changed()
        return True

    def set_loopback_users(self, names: frozenset[str]) -> None:
        """From now on these may log in from this machine alone; who is there stays."""
        self._accounts.loopback_users = names

    @property
    def loopback_users(self) -> frozenset[str]:
        """Names that may only log in from this machine."""
        return self._accounts.loopback_users

    def add_user(self, name: str, password: str, tags: Iterable[str] = (), salt: bytes | None = None) -> User:
        """Add a user; PreconditionFailed for a name that is taken or blank, or a blank password."""
        tags = sorted(set(tags))
        if self._is_agreed("add", name, Secret(password), *tags):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.added(name, password, tags, salt), password)
        self._changed()
        user = self._accounts.add(name, password, tags, salt)
        self.verifiers.make(name, password)
        return user

    def add_user_hash(self, name: str, password_hash: str, algorithm: str | None, tags: Iterable[str] = ()) -> User:
        """Add a user with a hash made elsewhere (core.access.passwords); `algorithm` None means MD5."""
        tags = sorted(set(tags))
        if self._is_agreed("add hash", name, password_hash, algorithm, *tags):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.added_hash(name, password_hash, algorithm, tags))
        self._changed()
        return self._accounts.add_hash(name, password_hash, algorithm, tags)

    def put_user(self, user: User) -> User:
        """Add the user or replace the one of this name, keeping its permissions; PreconditionFailed as above."""
        if self._is_agreed("put", *_put_intent(user)):
            return self._accounts.get(user.name)
        self._propose(lambda: self._accounts.replaced(user))
        self._changed()
        self.verifiers.forget(user.name)
        put = self._accounts.put(user)
        self._on_limits()
        return put

    def set_limits(self, name: str, limits: Mapping[str, int]) -> User:
        """Replace the user's limits (core.clients.limits); what is over them already stays."""
        if self._is_agreed("limits", name, *sorted(limits.items())):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.with_limits(name, limits))
        user = self._accounts.set_limits(name, limits)
        self._on_limits()
        return user

    def was_added(self, name: str, password: str, tags: Iterable[str]) -> bool:
        """Whether the cluster has just agreed on adding this user, for who does so again."""
        return self.agreements is not None and self.agreements.is_agreed(
            ("user", "add", name, Secret(password), *sorted(set(tags)))
        )

    def was_put(self, user: User) -> bool:
        """The same for a user whom nobody was known to be when it was asked for."""
        return self.agreements is not None and self.agreements.is_agreed(("user", "put", *_put_intent(user)))

    def was_deleted(self, name: str) -> bool:
        """The same for deleting one."""
        return self.agreements is not None and self.agreements.is_agreed(("user", "delete", name))

    def delete_user(self, name: str) -> None:
        """Remove the user and all permissions of that name; what else is the user's goes soon (core.withdrawals)."""
        if self._is_agreed("delete", name):
            return
        if self.agreements is not None:
            self._accounts.get(name)
            self.agreements.ask((accounts.KIND, "", name, None))
        self._accounts.delete(name)
        self.verifiers.forget(name)
        self._permissions.forget_user(name)
        self._topic_permissions.forget_user(name)
        self._changed()
        self._on_withdrawal(name, None)

    @property
    def leaving(self) -> list[str]:
        """Names of deleted users of whom something may be left."""
        return list(self._accounts.leaving)

    def gone(self, name: str) -> None:
        """Nothing is left of deleted users of this name."""
        self._accounts.gone(name)

    def owns(self, name: str, id: str) -> bool:
        """Whether what was noted with a user's name and id is the present user's of that name.

        False for what is left of one who was deleted, whoever has the name now.
        """
        return self._accounts.owns(name, id)

    def change_password(self, name: str, password: str, salt: bytes | None = None) -> User:
        """Give the user another password; PreconditionFailed when it is blank."""
        if self._is_agreed("password", name, Secret(password)):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.with_password(name, password, salt), password)
        self._changed()
        user = self._accounts.change_password(name, password, salt)
        self.verifiers.make(name, password)
        return user

    def clear_password(self, name: str) -> User:
        """Forbid the user to log in with a password."""
        if self._is_agreed("no password", name):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.without_password(name))
        self._changed()
        self.verifiers.forget(name)
        return self._accounts.clear_password(name)

    def set_tags(self, name: str, tags: Iterable[str]) -> User:
        """Replace the user's tags (administrator, monitoring, management, policymaker, impersonator, ...)."""
        tags = sorted(set(tags))
        if self._is_agreed("tags", name, *tags):
            return self._accounts.get(name)
        self._propose(lambda: self._accounts.with_tags(name, tags))
        self._changed()
        return self._accounts.set_tags(name, tags)

    def authenticate(self, name: str, password: str, is_loopback: bool, mechanism: str = "PLAIN") -> User:
        """The user who logs in; raises LoginRefused (A.3.9), whose `reason` is for the log.

        is_loopback: whether the peer's address is of this machine (127/8, ::1, ::ffff:127/8).
        """
        return self._accounts.authenticate(name, password, is_loopback, mechanism)

    def admit(self, name: str, is_loopback: bool, mechanism: str) -> User:
        """The same for a mechanism that proves who the peer is without a password (EXTERNAL, ANONYMOUS)."""
        return self._accounts.admit(name, is_loopback, mechanism)

    def log_in(
        self,
        name: str,
        password: str | None,
        *,
        is_loopback: bool,
        mechanism: str,
        peer_host: str = "",
        properties: tuple[tuple[str, str], ...] = (),
        proved_here: bool = False,
    ) -> User:
        """The user who logs in, whoever knows that (chain.py); password None: the protocol vouches for the name.

        properties: what the protocol knows besides.  proved_here: by what is kept of one of these users' password.
        Raises LoginRefused, whose `reason` is for the log, and Unanswered.
        """
        if (password is not None or proved_here) and (why := self.refuses(name, peer_host)):
            raise LoginRefused(mechanism, f"user '{name}' - {why}")
        if self.chain is not None:
            return self.chain.log_in(
                name,
                password,
                is_loopback=is_loopback,
                mechanism=mechanism,
                peer_host=peer_host,
                properties=properties,
                proved_here=proved_here,
            )
        if password is None:
            return self._accounts.admit(name, is_loopback, mechanism)
        return self._accounts.authenticate(name, password, is_loopback, mechanism)

    def ask_anew(self, name: str | None = None) -> None:
        """Rely on no answer of other back-ends any more, about this user or anybody.

        What goes on by such answers is for core.rechecks.
        """
        if name is None:
            self.answers.clear()
        else:
            self.answers.forget(name)
        self._changed()

    def rely_on_routes_no_more(self) -> None:
        """Rights that others remember having asked for are to be asked for again; answers that are kept count on."""
        self._changed()

    def set_permissions(self, user: str, vhost: str, configure: str, write: str, read: str) -> None:
        """Let the user open the vhost with these expressions; PreconditionFailed if one is invalid."""
        self._accounts.get(user)
        if self._is_agreed("permissions", user, vhost, configure, write, read):
            return
        now = Permission(configure, write, read)
        if self.agreements is not None:
            permissions.check(now)
            self.agreements.ask((permissions.KIND, vhost, user, now._asdict()))
        before = self._permissions.of(user, vhost)
        self._permissions.set(user, vhost, now)
        self._changed()
        if before is not None and before != now:
            self._on_withdrawal(user, vhost)

    def clear_permissions(self, user: str, vhost: str) -> bool:
        """Forbid the user the vhost; False when it was already."""
        self._accounts.get(user)
        if self._is_agreed("no permissions", user, vhost):
            return True
        if self.agreements is not None and self._permissions.of(user, vhost) is not None:
            self.agreements.ask((permissions.KIND, vhost, user, None))
        cleared = self._permissions.clear(user, vhost)
        self._changed()
        if cleared:
            self._on_withdrawal(user, vhost)
        return cleared

    def set_topic_permissions(self, user: str, vhost: str, exchange: str, write: str, read: str) -> None:
        """Narrow the routing keys that the user may use with a topic exchange."""
        self._accounts.get(user)
        if self._is_agreed("topic permissions", user, vhost, exchange, write, read):
            return
        now = TopicPermission(write, read)
        if self.agreements is not None:
            topic_permissions.check(now)
            self.agreements.ask(topic_permissions.change(user, vhost, exchange, now))
        self._topic_permissions.set(user, vhost, exchange, now)
        self._changed()
        self._on_withdrawal(user, vhost)

    def clear_topic_permissions(self, user: str, vhost: str, exchange: str | None = None) -> bool:
        """Lift that for one exchange, or for all of the vhost; False when there was nothing to lift."""
        self._accounts.get(user)
        if self._is_agreed("no topic permissions", user, vhost, exchange):
            return True
        found = self._topic_permissions.exchanges_of(user, vhost, exchange)
        if self.agreements is not None and found:
            self.agreements.ask(*(topic_permissions.change(user, vhost, each, None) for each in found))
        self._changed()
        return self._topic_permissions.clear(user, vhost, exchange)

    def replace(self, name: str, row: Mapping[str, JSON], verifier: Mapping[str, JSON] | None) -> None:
        """Have a user as the cluster has agreed on: this row, and what SCRAM needs to know, None where nobody does."""
        before = self.get(name)
        self._accounts.put_row(name, row)
        if verifier is not None:
            self.verifiers.put(name, verifier)
        elif before is None or before.password_hash != row["password_hash"]:
            self.verifiers.forget(name)
        self._changed()
        self._on_limits()

    def row_to_put(self, user: User) -> dict[str, JSON]:
        """The row by which a cluster agrees on what `put_user` would do."""
        return accounts.row_of(self._accounts.replaced(user))

    def _is_agreed(self, *intent: Hashable) -> bool:
        """Whether the cluster has agreed on just this, and it is done."""
        return self.agreements is not None and self.agreements.begin(("user", *intent))

    def _propose(self, make: Callable[[], User], password: str | None = None) -> None:
        """Have the cluster agree on the user as `make` gives it, if there is one.  password: a new one."""
        agreements = self.agreements
        if agreements is None or agreements.applying:
            return
        user = make()
        row = accounts.row_of(user)
        before = self.get(user.name)
        if password is not None:
            row["scram"] = scram.row_of(scram.make_verifier(password, scram.new_salt()))
        elif before is not None and before.password_hash == user.password_hash:
            verifier = self.verifiers.get(user.name)
            if verifier is not None:
                row["scram"] = scram.row_of(verifier)
        agreements.ask((accounts.KIND, "", user.name, row))

    def leave_vhost(self, name: str) -> Iterator[None]:
        """Take all permissions in a virtual host that is being deleted away, in slices."""
        for number, user in enumerate(self._permissions.users_in(name), 1):
            self._permissions.clear(user, name)
            if number % PERMISSIONS_PER_SLICE == 0:
                yield
        for number, (user, exchange, _) in enumerate(self._topic_permissions.in_vhost(name), 1):
            self._topic_permissions.clear(user, name, exchange)
            if number % PERMISSIONS_PER_SLICE == 0:
                yield

    def forget_vhost(self, vhost: str) -> None:
        """Drop all permissions in a vhost that is being deleted."""
        self._permissions.forget_vhost(vhost)
        self._topic_permissions.forget_vhost(vhost)
        self._changed()

    def may_access_vhost(self, user: User | str, vhost: str) -> bool:
        """True when the user has permissions in the vhost, whatever they allow.

        This and the checks take the user who has logged in, or a name, by which only these users are known.  Of
        somebody whom another back-end knows they raise Unanswered where that has to be asked.
        """
        if isinstance(user, User):
            if user.rights is not None:
                return user.rights.may_enter(vhost)
            user = user.name
        return self._permissions.of(user, vhost) is not None

    def check(self, user: User | str, vhost: str, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403, A.5) unless the user may do `verb` to the queue or exchange `name`."""
        if isinstance(user, User):
            if user.rights is not None:
                user.rights.check(vhost, kind, name, verb)
                return
            user = user.name
        self._permissions.check(user, vhost, kind, name, verb)

    def check_topic(
        self,
        user: User | str,
        vhost: str,
        exchange: str,
        routing_key: str,
        verb: TopicVerb,
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> None:
        """Raise AccessRefused (403, A.5) unless the user may use this key; for exchanges of type topic only.

        variables: what expressions may name besides `{username}` and `{vhost}`, such as `client_id`.
        """
        if isinstance(user, User):
            if user.rights is not None:
                user.rights.check_topic(vhost, exchange, routing_key, verb, variables)
                return
            user = user.name
        self._topic_permissions.check(user, vhost, exchange, routing_key, verb, variables)

    def narrows_topics(self, user: User | str, vhost: str, exchange: str) -> bool:
        """True when `check_topic` may say different things of different keys."""
        if isinstance(user, User):
            if user.rights is not None:
                return True
            user = user.name
        return self._topic_permissions.narrows(user, vhost, exchange)

    def _changed(self) -> None:
        self.version += 1
        self._on_change()

    def permissions_in(self, vhost: str) -> list[tuple[str, Permission]]:
        """(user, permission) of everyone who may open the vhost."""
        return self._permissions.in_vhost(vhost)

    def topic_permissions_in(self, vhost: str) -> list[tuple[str, str, TopicPermission]]:
        """(user, exchange, permission) of every row in the vhost."""
        return self._topic_permissions.in_vhost(vhost)

    def permissions_of(self, user: str) -> list[tuple[str, Permission]]:
        """(vhost, permission) for every vhost that the user may open; NotFound for an unknown user."""
        self._accounts.get(user)
        return self._permissions.of_user(user)

    def topic_permissions_of(self, user: str) -> list[tuple[str, str, TopicPermission]]:
        """(vhost, exchange, permission) of every row of the user; NotFound for an unknown user."""
        self._accounts.get(user)
        return self._topic_permissions.of_user(user)


def load_users(store: DefinitionStore, loopback_users: frozenset[str] = DEFAULT_LOOPBACK_USERS) -> Users:
    """The users of `store`. A broker that reads the store once for all its parts uses `Users.restore`."""
    users = Users(store, loopback_users)
    for row in store.load():
        users.restore(*row)
    return users


def _refuses_nobody(name: str, peer_host: str) -> str:
    return ""


def _nothing() -> None:
    return


def _put_intent(user: User) -> tuple[str, str]:
    return user.name, repr({**accounts.row_of(user), "id": ""})


def _nothing_withdrawn(user: str, vhost: str | None) -> None:
    return
