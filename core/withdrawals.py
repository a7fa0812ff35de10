"""Rights that are taken away while somebody has them in use (docs/access.md).

What is asked at each command (publishing, declaring, polling) is asked anew after every change.  What goes on by itself
isn't: connections, consumers, and what components keep for users.  So whoever takes a right away says so here, and what
may not go on ends, soon and in slices (core.chores):

    a user is deleted              its connections are closed; components drop what was the user's alone
    permissions are taken away     connections to that virtual host are closed
    they, or a topic permission,   consumers of queues that the user may not read any more are cancelled; components
    are replaced                   look at what they have (MQTT: subscriptions)

A password that is changed closes nothing: it is asked for when somebody logs in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from warren.core.clients.client import Client
from warren.core.declaring.queues import end_consumer, remove_queue
from warren.core.errors import AccessRefused
from warren.core.queues.base import DELETED_USER

if TYPE_CHECKING:
    from warren.core.broker import Broker, SessionEntry
    from warren.core.queues.base import Queue

_log = logging.getLogger("warren.broker")

SESSIONS_PER_SLICE: Final = 1000
"""Looked at in one turn; a tenth of a microsecond each."""

CLOSED_PER_SLICE: Final = 50
"""Closed in one turn, with all that ends with a connection."""

REMOVED_PER_SLICE: Final = 50
"""Subscriptions removed in one turn, with what waits in them."""

QUEUES_PER_SLICE: Final = 500
"""Whose consumers are looked at in one turn."""


class Withdrawals:
    """Of one broker."""

    __slots__ = ("_broker", "_changed", "_deleted", "_queues", "_running", "_sessions")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._deleted: set[str] = set()
        self._changed: dict[str, set[str]] = {}
        self._sessions: list[tuple[SessionEntry, str]] = []
        self._queues: list[tuple[Queue, str]] = []
        self._running: Iterator[None] | None = None

    def note(self, user: str, vhost: str | None) -> None:
        """The user may do less in a virtual host than before, or nothing any more; None: the user is deleted."""
        if vhost is None:
            self._delete(user)
        else:
            self._changed.setdefault(vhost, set()).add(user)
        self._begin()

    def _delete(self, user: str) -> None:
        """Everything that the user had goes; who logs in from now on under this name is somebody else.

        What goes later is marked now, as the next of the name may be there before it is gone.
        """
        self._deleted.add(user)
        for vhost in self._broker.vhosts.values():
            for queue in vhost.queues.values():
                if queue.user == user:
                    queue.user = DELETED_USER
                    self._queues.append((queue, user))
        for component in self._broker.components.values():
            component.user_deleted(user)
        for session in self._broker.sessions:
            client = _client_of(session)
            if client is not None and client.user.name == user:
                self._sessions.append((session, f"user '{user}' is deleted"))

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
            self._running = None
        except BaseException:
            self._running = None
            raise
        if self._running is None and (self._deleted or self._changed):
            self._running = self._run()
        return self._running is not None

    def _run(self) -> Iterator[None]:
        deleted, self._deleted = self._deleted, set()
        changed, self._changed = self._changed, {}
        closing, self._sessions = self._sessions, []
        if changed:
            yield from self._find_shut_out(changed, closing)
        for number, (session, reason) in enumerate(closing, 1):
            if session in self._broker.sessions:
                session.force_close(reason)
            if number % CLOSED_PER_SLICE == 0:
                yield
        for vhost_name, users in changed.items():
            yield from self._cancel_consumers(vhost_name, users)
        if deleted:
            yield from self._remove_subscriptions()
        for component in list(self._broker.components.values()):
            if deleted:
                yield from component.forget_users(deleted)
            for vhost_name, users in changed.items():
                yield from component.rights_withdrawn(vhost_name, users)

    def _find_shut_out(self, changed: dict[str, set[str]], closing: list[tuple[SessionEntry, str]]) -> Iterator[None]:
        """Who is connected to a virtual host and may not enter it any more."""
        for number, session in enumerate(list(self._broker.sessions), 1):
            client = _client_of(session)
            if client is not None:
                user, vhost = client.user.name, client.vhost.name
                if user in changed.get(vhost, ()) and not self._broker.users.may_access_vhost(user, vhost):
                    closing.append((session, f"access to vhost '{vhost}' is withdrawn from user '{user}'"))
            if number % SESSIONS_PER_SLICE == 0:
                yield

    def _remove_subscriptions(self) -> Iterator[None]:
        """Queues that are somebody's subscription go with who it was."""
        queues, self._queues = self._queues, []
        for number, (queue, user) in enumerate(queues, 1):
            if queue.vhost.queues.get(queue.name) is queue:
                _log.info("%s goes: it is a subscription of the user '%s', who is deleted", queue.description, user)
                remove_queue(queue.vhost, queue)
            if number % REMOVED_PER_SLICE == 0:
                yield

    def _cancel_consumers(self, vhost_name: str, users: set[str]) -> Iterator[None]:
        vhost = self._broker.vhosts.get(vhost_name)
        queues = list(vhost.queues.values()) if vhost is not None else []
        for number, queue in enumerate(queues, 1):
            _cancel_in(queue, users)
            if number % QUEUES_PER_SLICE == 0:
                yield


def _cancel_in(queue: Queue, users: set[str]) -> None:
    for consumer in list(queue.consumers):
        if consumer.client.user.name not in users or consumer.is_components:
            continue
        try:
            consumer.client.check("queue", queue.name, "read")
        except AccessRefused as error:
            _log.warning("consumer '%s' of %s is cancelled: %s", consumer.tag, queue.description, error.text)
            end_consumer(consumer)
            consumer.withdrawn(error)


def _client_of(session: SessionEntry) -> Client | None:
    """Who is logged in; every session keeps that as `client`, None before the login and after the end."""
    client = getattr(session, "client", None)
    return client if isinstance(client, Client) else None
