"""Rights that are taken away while somebody has them in use (docs/access.md).

What is asked at each command (publishing, declaring, polling) is asked anew after every change.  What goes on by itself
isn't: connections, consumers, and what components keep for users.  So whoever takes a right away says so here, and what
may not go on ends, soon and in slices (core.chores):

    a user is deleted              its connections are closed; components drop what was the user's alone
    permissions are taken away     connections to that virtual host are closed
    they, or a topic permission,   consumers of queues that the user may not read any more are cancelled; components
    are replaced                   look at what they have (MQTT: subscriptions), and so do looks at messages (tails)

A password that is changed closes nothing: it is asked for when somebody logs in.

A deletion marks nothing and looks for nothing: from it on, whatever was noted with the deleted user's name and id is
nobody's (`Users.owns`), and the store says so, too, until all of it is gone.  A broker that ends before goes on with
that at its next start (`resume`).  What fails is logged, and keeps nothing else from being done.

Of users whom other back-ends know (core.rechecks), what has to be asked first is looked at when it is answered.  That a
back-end can't be asked ends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.access.answers import Unanswered
from warren.core.access.rights import BackEndFailed
from warren.core.clients.client import Client
from warren.core.declaring.queues import end_consumer, remove_queue
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from warren.core.access.accounts import User
    from warren.core.access.users import Users
    from warren.core.broker import Broker, SessionEntry
    from warren.core.queues.consumer import Consumer

_log = logging.getLogger("warren.broker")

SESSIONS_PER_SLICE: Final = 1000
"""Looked at in one turn: half a microsecond each."""

CLOSED_PER_SLICE: Final = 50
"""Closed in one turn, with all that ends with a connection."""

REMOVED_PER_SLICE: Final = 50
"""Subscriptions removed in one turn, with what waits in them."""

QUEUES_PER_SLICE: Final = 500
"""Looked at in one turn, with their consumers, of which each counts as much."""

ASKED_PER_SLICE: Final = 50
"""Consumers of whom is asked in one turn whether they may go on: ten microseconds, and more for one that may not."""


class Withdrawals:
    """Of one broker."""

    __slots__ = ("_broker", "_changed", "_deleted", "_has_failed", "_running")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._deleted: dict[str, None] = {}
        self._changed: dict[str, dict[str, None]] = {}
        self._running: Iterator[None] | None = None
        self._has_failed = False

    def note(self, user: str, vhost: str | None) -> None:
        """The user may do less in a virtual host than before, or nothing any more; None: the user is deleted."""
        if vhost is None:
            self._deleted[user] = None
        else:
            self._changed.setdefault(vhost, {})[user] = None
        self._begin()

    def resume(self) -> None:
        """The broker has started: see to what is left of users who were deleted before."""
        self._deleted.update(dict.fromkeys(self._broker.users.leaving))
        if self._deleted:
            self._begin()

    def _begin(self) -> None:
        if self._running is None:
            self._running = self._run()
            self._broker.chores.add(self._do_slice)

    def _do_slice(self) -> bool:
        running = self._running
        if running is None:
            return False
        try:
            next(running)
        except StopIteration:
            self._running = self._run() if self._deleted or self._changed else None
        return self._running is not None

    def _run(self) -> Iterator[None]:
        deleted, self._deleted = self._deleted, {}
        changed, self._changed = self._changed, {}
        self._has_failed = False
        yield from self._close_connections(deleted, changed)
        for vhost_name, users in changed.items():
            yield from self._cancel_consumers(vhost_name, users)
        self._end_tails(deleted, changed)
        if deleted:
            yield from self._remove_subscriptions(deleted)
        for name, component in list(self._broker.components.items()):
            if deleted:
                yield from self._guarded(f"what '{name}' keeps for deleted users", component.forget_users, deleted)
            for vhost_name, users in changed.items():
                what = f"what '{name}' keeps by rights that are withdrawn"
                yield from self._guarded(what, component.rights_withdrawn, vhost_name, users)
        self._note_gone(deleted)

    def _note_gone(self, deleted: Collection[str]) -> None:
        """Nothing is left of these, unless something has failed, or somebody of the name was deleted meanwhile."""
        if self._has_failed:
            return
        for user in deleted:
            if user not in self._deleted:
                self._broker.users.gone(user)

    def _guarded(self, what: str, begin: Callable[..., Iterator[None]], *arguments: object) -> Iterator[None]:
        """Slices of which a failure is the last one, and is logged."""
        try:
            yield from begin(*arguments)
        except Exception:
            self._failed(what)

    def _try(self, what: str, do: Callable[..., object], *arguments: object) -> None:
        try:
            do(*arguments)
        except Exception:
            self._failed(what)

    def _failed(self, what: str) -> None:
        self._has_failed = True
        _log.exception(
            "%s couldn't be ended; all else is, and what is a deleted user's is tried again at a start", what
        )

    def _close_connections(
        self, deleted: Mapping[str, None], changed: Mapping[str, Mapping[str, None]]
    ) -> Iterator[None]:
        """Of users who are deleted, and who may not enter the virtual host any more that they are connected to."""
        sessions = self._broker.sessions
        work = 0
        for session in list(sessions):
            work += 1
            if self._close_unless_allowed(session, deleted, changed):
                work += SESSIONS_PER_SLICE // CLOSED_PER_SLICE
            if work >= SESSIONS_PER_SLICE:
                work = 0
                yield

    def _close_unless_allowed(
        self, session: SessionEntry, deleted: Mapping[str, None], changed: Mapping[str, Mapping[str, None]]
    ) -> bool:
        if session not in self._broker.sessions:
            return False
        try:
            reason = self._reason_to_close(session, deleted, changed)
        except Unanswered as unanswered:
            unanswered.then(partial(self._close_unless_allowed, session, deleted, changed))
            return False
        if reason:
            self._try(f"a connection ({reason})", session.force_close, reason)
        return bool(reason)

    def _reason_to_close(
        self, session: SessionEntry, deleted: Mapping[str, None], changed: Mapping[str, Mapping[str, None]]
    ) -> str:
        client = _client_of(session)
        if client is None:
            return ""
        users, user, vhost = self._broker.users, client.user, client.vhost.name
        if user.name in deleted and not users.owns(user.name, user.id):
            return f"user '{user.name}' is deleted"
        if user.name in changed.get(vhost, ()) and not _may_stay(users, user, vhost):
            return f"access to vhost '{vhost}' is withdrawn from user '{user.name}'"
        return ""

    def _remove_subscriptions(self, deleted: Mapping[str, None]) -> Iterator[None]:
        """Queues that are somebody's subscription go with who it was."""
        work = 0
        for vhost in list(self._broker.vhosts.values()):
            for queue in list(vhost.queues.values()):
                work += 1
                if queue.user in deleted and queue.is_left_behind:
                    work += QUEUES_PER_SLICE // REMOVED_PER_SLICE
                    _log.info(
                        "%s goes: it is a subscription of the user '%s', who is deleted", queue.description, queue.user
                    )
                    self._try(queue.description, remove_queue, vhost, queue)
                if work >= QUEUES_PER_SLICE:
                    work = 0
                    yield

    def _end_tails(self, deleted: Mapping[str, None], changed: Mapping[str, Mapping[str, None]]) -> None:
        """Looks at messages by users who may not look any more; of these there are few (core.administration.tails)."""
        for tail in list(self._broker.tails):
            rights = tail.rights
            is_deleted = rights.user_name in deleted
            if is_deleted or rights.user_name in changed.get(rights.vhost_name, ()):
                self._try("a look at messages", partial(rights.look_again, is_deleted=is_deleted))

    def _cancel_consumers(self, vhost_name: str, users: Mapping[str, None]) -> Iterator[None]:
        vhost = self._broker.vhosts.get(vhost_name)
        queues = list(vhost.queues.values()) if vhost is not None else []
        work = 0
        for queue in queues:
            work += 1
            for consumer in list(queue.consumers):
                work += 1
                if consumer.active and consumer.client.user.name in users and not consumer.is_components:
                    work += QUEUES_PER_SLICE // ASKED_PER_SLICE
                    self._try(f"a consumer of {queue.description}", _cancel_unless_allowed, consumer)
                if work >= QUEUES_PER_SLICE:
                    work = 0
                    yield
            if work >= QUEUES_PER_SLICE:
                work = 0
                yield


def _may_stay(users: Users, user: User, vhost: str) -> bool:
    """Whether the user may be connected to the virtual host; nobody goes since a back-end can't say."""
    try:
        return users.may_access_vhost(user, vhost)
    except BackEndFailed:
        return True


def _cancel_unless_allowed(consumer: Consumer) -> None:
    queue = consumer.queue
    if not consumer.active:
        return
    try:
        consumer.client.check("queue", queue.name, "read")
    except Unanswered as unanswered:
        unanswered.then(partial(_cancel_unless_allowed, consumer))
    except BackEndFailed:
        return
    except AccessRefused as error:
        _log.warning("consumer '%s' of %s is cancelled: %s", consumer.tag, queue.description, error.text)
        end_consumer(consumer)
        consumer.withdrawn(error)


def _client_of(session: SessionEntry) -> Client | None:
    """Who is logged in; every session keeps that as `client`, None before the login and after the end."""
    client = getattr(session, "client", None)
    return client if isinstance(client, Client) else None
