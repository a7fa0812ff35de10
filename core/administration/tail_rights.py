"""By whose rights somebody looks at messages as they come, and what ends that when they go.

Rights are asked for when a look begins (tails.py, stream_tails.py).  It may go on for days, so it ends as a consumer is
cancelled: when its user may not read any more (core.withdrawals), is deleted, or logged in by what has expired since.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from warren.core.access.accounts import User
from warren.core.access.answers import Unanswered
from warren.core.access.rights import BackEndFailed
from warren.core.declaring.actor import Administrator
from warren.core.errors import AccessRefused, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.administration.tails import Tailed
    from warren.core.deadlines import Deadline
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.broker")


class TailRights:
    """Of one look.

    user: who looks, by name or as logged in; None for the broker's owner, who may look at everything.
    are_gone: it has to end.
    """

    __slots__ = ("_ended", "_expiry", "_is_entered", "_tailed", "_vhost", "are_gone", "user")

    def __init__(self, vhost: VirtualHost, tailed: Tailed, user: User | str | None) -> None:
        self._vhost = vhost
        self._tailed = tailed
        self.user = user
        self.are_gone = False
        self._ended: Callable[[], None] | None = None
        self._expiry: Deadline | None = None
        self._is_entered = False

    @property
    def user_name(self) -> str | None:
        """Whose rights they are; None for the broker's owner."""
        return self.user.name if isinstance(self.user, User) else self.user

    @property
    def vhost_name(self) -> str:
        """Where they are."""
        return self._vhost.name

    def check(self) -> None:
        """Raise AccessRefused unless the user may look; ResourceLocked for another connection's exclusive queue.

        Unanswered where another back-end has to be asked first, NotFound for an exchange that isn't there.
        """
        actor = Administrator(self._vhost, self.user)
        tailed = self._tailed
        if tailed.queue is not None:
            actor.check("queue", tailed.queue, "read")
        elif tailed.exchange is not None:
            actor.check("exchange", tailed.exchange, "read")
            if self._vhost.exchange(tailed.exchange).type_name == "topic":
                actor.check_topic(tailed.exchange, tailed.pattern, "read")

    def begin(self, ended: Callable[[], None]) -> None:
        """The look has begun; `ended` is called when the rights are gone."""
        self._ended = ended
        user = self.user
        if isinstance(user, User) and user.rights is not None:
            broker = self._vhost.broker
            broker.rechecks.entered(user.name, self._vhost.name)
            self._is_entered = True
            if user.rights.expires_at_ms is not None:
                self._expiry = broker.deadlines.schedule(user.rights.expires_at_ms, self._expired)

    def look_again(self, *, is_deleted: bool) -> None:
        """The user may do less than before, or was deleted: end what may not go on, now or when that is known."""
        if self.are_gone or self._ended is None:
            return
        user = self.user
        if is_deleted and isinstance(user, User) and not self._vhost.broker.users.owns(user.name, user.id):
            self._end(f"user '{user.name}' is deleted")
            return
        try:
            self.check()
        except Unanswered as unanswered:
            unanswered.then(partial(self.look_again, is_deleted=False))
        except (BackEndFailed, NotFound):
            return
        except AccessRefused as error:
            self._end(error.text)

    def end(self) -> None:
        """The look is over."""
        self._ended = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self._is_entered and self.user_name is not None:
            self._is_entered = False
            self._vhost.broker.rechecks.left(self.user_name, self._vhost.name)

    def _expired(self, now_ms: int) -> None:
        self._expiry = None
        self._end("the credentials that it began with have expired")

    def _end(self, reason: str) -> None:
        self.are_gone = True
        tailed = self._tailed
        what = f"queue '{tailed.queue}'" if tailed.queue is not None else f"exchange '{tailed.exchange}'"
        _log.warning("a look of user '%s' at %s in vhost '%s' ends: %s", self.user_name, what, self._vhost.name, reason)
        if self._ended is not None:
            self._ended()
