"""What a session is subscribed to and its user may not read any more, found out before its client is logged in again.

Of a user whom another authentication back-end knows; for the broker's own users, `rights.drop_withdrawn` looks while
they are connected already.  Each subscription may be one question or more, so this is work in turns:

    begin       whoever still holds the session is told that it is taken over: nothing is added from then on
    a slice     so many subscriptions are in hand: what is asked for them is out at once, and pinned, until each of them
                is decided; one that isn't allowed any more goes
    the end     `through` is answered, which the login waits for (adapters.mqtt.login)

However many there are, the back-end is asked for no more than one slice's at a time, and CONNACK comes after the last.
A back-end that can't answer ends no subscription: the login fails, and the session waits for the next.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.mqtt.sessions.rights import SUBSCRIPTIONS_PER_SLICE
from warren.core.access.answers import Unanswered, Underway
from warren.core.access.rights import BackEndFailed
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.access.accounts import User
    from warren.core.access.answers import Awaited

_log = logging.getLogger("warren.mqtt")


class ReturningCheck:
    """Of one session, for the user who logs in."""

    __slots__ = (
        "_failure",
        "_in_hand",
        "_is_in_slice",
        "_is_through",
        "_pinned",
        "_registry",
        "_unanswered",
        "_waiting",
        "session",
        "through",
        "user",
    )

    def __init__(self, registry: MqttSessions, session: MqttSession, user: User) -> None:
        self.session = session
        self.user = user
        self.through = Underway()
        self._registry = registry
        self._waiting: list[MqttSubscription] = []
        self._in_hand: list[MqttSubscription] = []
        self._pinned: list[Awaited] = []
        self._unanswered = 0
        self._is_in_slice = False
        self._is_through = False
        self._failure: Exception | None = None

    def begin(self) -> None:
        """Look at the first ones now, and at the others in the turns that follow."""
        session, registry = self.session, self._registry
        if session.holder is not None:
            session.holder.taken_over()
        if session.ended:
            self._is_through = True
            return
        session.rights_version = registry.broker.users.version
        self._waiting = list(session.subscriptions.values())
        self._waiting.reverse()
        if self._do_slice():
            registry.broker.chores.add(self._do_slice)

    def is_for(self, session: MqttSession, user: User) -> bool:
        """Whether this is about the session as it is: nobody was given it meanwhile."""
        return self.session is session and self.user.name == user.name and session.holder is None

    def finish(self) -> None:
        """Raise Unanswered unless it is through, and what has kept it from its end: BackEndFailed (403)."""
        if not self._is_through:
            raise Unanswered(self.through)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._is_through = True
        self._let_go()

    def _do_slice(self) -> bool:
        if self._is_through:
            return False
        self._is_in_slice = True
        try:
            self._decide_some()
        except Exception as error:
            self._failure = error
        self._is_in_slice = False
        if self._failure is None and not self.session.ended:
            if self._unanswered:
                return False
            if self._in_hand or self._waiting:
                return True
        self.stop()
        self.through.done()
        return False

    def _decide_some(self) -> None:
        if not self._in_hand:
            self._let_go()
            while self._waiting and len(self._in_hand) < SUBSCRIPTIONS_PER_SLICE:
                self._in_hand.append(self._waiting.pop())
        undecided = []
        for subscription in self._in_hand:
            try:
                self._decide(subscription)
            except Unanswered as unanswered:
                undecided.append(subscription)
                self._unanswered += 1
                self._pinned.append(unanswered.pin(self._answered))
        self._in_hand = undecided

    def _decide(self, subscription: MqttSubscription) -> None:
        session, registry = self.session, self._registry
        if session.subscriptions.get(subscription.filter) is not subscription:
            return
        try:
            registry.permits.check_reading(session, subscription, self.user)
        except BackEndFailed:
            raise
        except AccessRefused as refusal:
            _log.warning("client '%s' is subscribed no more: %s", session.client_id, refusal.text)
            session.unsubscribe(subscription.filter)

    def _answered(self) -> None:
        self._unanswered -= 1
        if not (self._unanswered or self._is_in_slice or self._is_through):
            self._registry.broker.chores.add(self._do_slice)

    def _let_go(self) -> None:
        pinned, self._pinned = self._pinned, []
        for asked in pinned:
            asked.release()
